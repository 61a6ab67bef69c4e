import { beforeEach, describe, expect, it } from '@jest/globals';
import type { HeldCeiling } from './budget-counters.js';
import { CeilingMirror } from './ceiling-mirror.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ceiling = (nanos: number): HeldCeiling => ({ orgId: 'org', field: 'a|life', nanos });

describe('copy of the ceilings in the ledger', () => {
  let written: { readonly seq: number; readonly ceilings: readonly HeldCeiling[] }[];
  let answers: { resolve(): void; reject(error: Error): void }[];
  let moved: HeldCeiling[];
  let restored: number;
  let mirror: CeilingMirror;
  beforeEach(() => {
    [written, answers, moved, restored] = [[], [], [], 0];
    let seq = 0;
    mirror = new CeilingMirror({
      processId: 'p1',
      ledger: {
        mirror: (_process, number, ceilings) => {
          written.push({ seq: number, ceilings });
          return new Promise((resolve, reject) => answers.push({ resolve, reject }));
        },
      },
      takeMoved: () => ({ ceilings: moved.splice(0), restore: () => (restored += 1) }),
      nextMirrorSeq: () => (seq += 1),
    });
  });

  it('KEY-6: is written every quarter of a second, numbered, and only when something moved', async () => {
    for (const [ms, nanos] of [[250, 1], [300, 2], [500, 3], [750, 0], [1000, 4]] as const) {
      if (nanos > 0) moved.push(ceiling(nanos));
      mirror.tick(ms);
      answers.pop()?.resolve();
      await settled();
    } // prettier-ignore
    expect(written).toEqual([
      { seq: 1, ceilings: [ceiling(1)] },
      { seq: 2, ceilings: [ceiling(2), ceiling(3)] },
      { seq: 3, ceilings: [ceiling(4)] },
    ]);
  });

  it('KEY-6: a ledger that is slow or away gets one write at a time; what failed is told again as it stands then', async () => {
    moved.push(ceiling(1));
    mirror.tick(250);
    moved.push(ceiling(2));
    mirror.tick(60_000);
    expect(written).toHaveLength(1);
    answers.pop()?.reject(new Error('away'));
    await settled();
    expect(restored).toBe(1);
    mirror.tick(60_020);
    expect(written.at(-1)).toEqual({ seq: 2, ceilings: [ceiling(2)] });
  });
});
