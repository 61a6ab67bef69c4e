// A Redis of its own that is killed, frozen, rolled back and emptied.
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { kill, start } from './children.js';

export type RedisKind = 'aof' | 'rdb';

export class RedisServer {
  readonly kind: RedisKind;
  readonly port: number;
  /** For looking; has the answer within a second or fails. */
  readonly client: Redis;
  readonly #command: string;
  readonly #dir: string;
  #process: ChildProcess | null = null;

  constructor(command: string, port: number, dir: string, kind: RedisKind) {
    this.#command = command;
    this.port = port;
    this.#dir = dir;
    this.kind = kind;
    fs.mkdirSync(dir, { recursive: true });
    this.client = new Redis({
      host: '127.0.0.1',
      port,
      commandTimeout: 1000,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: () => 100,
    });
    this.client.on('error', () => {});
  }

  async start(): Promise<void> {
    const args = [
      '--port',
      this.port,
      '--bind',
      '127.0.0.1',
      '--dir',
      this.#dir,
      '--save',
      '',
      '--loglevel',
      'warning',
    ];
    const log = ['--appendonly', this.kind === 'aof' ? 'yes' : 'no', '--appendfsync', 'everysec'];
    this.#process = start(this.#command, [...args, ...log].map(String), { stdio: 'ignore' });
    for (let n = 0; n < 100; n++) {
      await sleep(50);
      if ((await this.client.ping().catch(() => '')) === 'PONG') return;
    }
    throw new Error('redis-server did not start');
  }

  /** Kills it and brings it back with less than it had. @returns what was lost */
  async crash(random: (below?: number) => number): Promise<string> {
    await kill(this.#process as ChildProcess);
    let how = 'killed';
    if (this.kind === 'aof' && random() < 0.5) {
      const dir = path.join(this.#dir, 'appendonlydir');
      const last = fs
        .readdirSync(dir)
        .filter((name) => name.endsWith('.incr.aof'))
        .sort()
        .pop() as string;
      const { size } = fs.statSync(path.join(dir, last));
      fs.truncateSync(path.join(dir, last), Math.max(0, size - Math.floor(random(300_000))));
      how = 'tail lost';
    }
    if (this.kind === 'rdb') {
      how = 'older snapshot';
      if (random() < 0.25) {
        fs.rmSync(path.join(this.#dir, 'dump.rdb'), { force: true });
        how = 'emptied';
      }
    }
    await sleep(random(300));
    await this.start();
    return how;
  }

  /** Stops it for a while. */
  freeze(forMs: number): void {
    const frozen = this.#process as ChildProcess;
    frozen.kill('SIGSTOP');
    setTimeout(() => frozen.kill('SIGCONT'), forMs);
  }

  async end(): Promise<void> {
    this.client.disconnect();
    if (this.#process !== null) await kill(this.#process);
  }
}
