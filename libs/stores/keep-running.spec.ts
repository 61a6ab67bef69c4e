import { describe, expect, it } from '@jest/globals';
import { keepRunning, type RunningServer } from './keep-running.js';

const FAST = { stableMs: 10_000, firstPauseMs: 1 };

/** A server whose end the test decides. */
class FakeServer implements RunningServer {
  readonly port = 4711;
  readonly ended: Promise<string>;
  end!: (why: string) => void;
  stopped = 0;
  constructor() {
    this.ended = new Promise((resolve) => (this.end = resolve));
  }
  async stop(): Promise<void> {
    this.stopped++;
    this.end('stopped');
  }
}

function listeners(): { log: string[]; onRestart(why: string): void; onLost(why: string): void } {
  const log: string[] = [];
  return { log, onRestart: (why) => log.push(`restart ${why}`), onLost: (why) => log.push(`lost ${why}`) };
}

async function until(met: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !met(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(met()).toBe(true);
}

describe('keepRunning', () => {
  it('OPS-3: starts an ended server again on the same port, after freeing what the old one held', async () => {
    const first = new FakeServer();
    const second = new FakeServer();
    const ports: number[] = [];
    const heard = listeners();
    const kept = keepRunning<FakeServer>(
      first,
      async (port) => {
        expect(first.stopped).toBe(1);
        ports.push(port);
        return second;
      },
      heard,
      FAST,
    );
    first.end('signal SIGKILL');
    await until(() => heard.log.length === 1);
    expect([ports, heard.log]).toEqual([[4711], ['restart signal SIGKILL']]);
    await kept.stop();
    expect(second.stopped).toBe(1);
    expect(heard.log).toHaveLength(1);
  });

  it('OPS-3: tells when a server cannot be brought back', async () => {
    const first = new FakeServer();
    const heard = listeners();
    let attempts = 0;
    const kept = keepRunning<FakeServer>(
      first,
      async () => {
        attempts++;
        throw new Error('disk full');
      },
      heard,
      FAST,
    );
    first.end('exit code 1');
    await until(() => heard.log.length === 1);
    expect(heard.log).toEqual(['lost ended (exit code 1) and cannot be started again: disk full']);
    expect(attempts).toBe(6);
    await kept.stop();
  }, 15_000);

  it('OPS-3: gives up on one that ends again and again, not on one that ends now and then', async () => {
    const heard = listeners();
    let current = new FakeServer();
    const restart = async (): Promise<FakeServer> => {
      current = new FakeServer();
      const server = current;
      setTimeout(() => server.end('crash'), 1);
      return server;
    };
    keepRunning<FakeServer>(current, restart, heard, FAST);
    current.end('crash');
    await until(() => heard.log.some((line) => line.startsWith('lost')));
    expect(heard.log.filter((line) => line.startsWith('restart'))).toHaveLength(6);

    const calm = listeners();
    const keptCalm = keepRunning<FakeServer>(
      (current = new FakeServer()),
      async () => (current = new FakeServer()),
      calm,
      { ...FAST, stableMs: 0 },
    );
    for (let n = 1; n <= 8; n++) {
      current.end('now and then');
      await until(() => calm.log.length === n);
    }
    expect(calm.log.every((line) => line.startsWith('restart'))).toBe(true);
    await keptCalm.stop();
  }, 20_000);

  it('OPS-3: a stop during a restart leaves nothing running', async () => {
    const first = new FakeServer();
    const second = new FakeServer();
    let starting = false;
    const heard = listeners();
    const kept = keepRunning<FakeServer>(
      first,
      async () => {
        starting = true;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return second;
      },
      heard,
      FAST,
    );
    first.end('crash');
    await until(() => starting);
    await kept.stop();
    expect(second.stopped).toBe(1);
    expect(heard.log).toEqual([]);
  });
});
