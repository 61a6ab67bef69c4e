import { describe, expect, it } from '@jest/globals';
import { RespError, type Reply } from './resp.js';
import { Snapshots } from './snapshots.js';

/** An engine that knows two commands. */
function engine(): {
  changes: number;
  saves: number;
  failing: boolean;
  command: (...words: string[]) => Promise<Reply>;
} {
  const state = {
    changes: 0,
    saves: 0,
    failing: false,
    command: async (...words: string[]): Promise<Reply> => {
      if (words[0] === 'INFO') return `# Persistence\r\nrdb_changes_since_last_save:${state.changes}\r\n`;
      if (state.failing) throw new RespError('ERR disk full');
      state.saves++;
      state.changes = 0;
      return 'OK';
    },
  };
  return state;
}

describe('snapshots', () => {
  it('OPS-3: are made when something changed and the interval is over, not else', async () => {
    const valkey = engine();
    const snapshots = new Snapshots(valkey.command, 1000, () => {}, 0);
    valkey.changes = 1;
    expect(await snapshots.saveIfDue(999)).toBe(false);
    expect(await snapshots.saveIfDue(1000)).toBe(true);
    expect(await snapshots.saveIfDue(performance.now() + 5000)).toBe(false);
    expect(valkey.saves).toBe(1);
  });

  it('OPS-3: take at most a twentieth of the time: the pause grows with the last one', async () => {
    const valkey = engine();
    const slow = async (...words: string[]): Promise<Reply> => {
      if (words[0] === 'SAVE') await new Promise((resolve) => setTimeout(resolve, 60));
      return valkey.command(...words);
    };
    const snapshots = new Snapshots(slow, 10, () => {}, 0);
    await snapshots.save();
    const endedAt = performance.now();
    valkey.changes = 1;
    expect(await snapshots.saveIfDue(endedAt + 20 * 50)).toBe(false);
    expect(await snapshots.saveIfDue(endedAt + 20 * 600)).toBe(true);
  });

  it('OPS-3: a failure is told once, and so is the end of it', async () => {
    const valkey = engine();
    const told: (string | null)[] = [];
    const snapshots = new Snapshots(valkey.command, 10, (failure) => told.push(failure), 0);
    valkey.failing = true;
    expect([await snapshots.save(), await snapshots.save()]).toEqual([false, false]);
    valkey.failing = false;
    expect([await snapshots.save(), await snapshots.save()]).toEqual([true, true]);
    expect(told).toEqual(['ERR disk full', null]);
  });
});
