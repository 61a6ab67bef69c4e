import { describe, expect, it } from '@jest/globals';
import type { Logger } from '#libs/platform/logger.js';
import { DrainControl } from '../drain-control.js';
import type { StreamEntry } from '../store/entry-stream.js';
import { drainRows, type RowDrain } from './drain-rows.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const entry = (id: string, rows = ''): StreamEntry => ({
  id,
  bytes: 1,
  fields: new Map(
    Object.entries({ p: 'p1', f: '0', t: '5', r: rows, c: '', q: '0' }).map(([name, value]) => [
      name,
      Buffer.from(value),
    ]),
  ),
});

/** A drain whose steps are written down; `change` replaces some of them. */
function rig(
  entries: StreamEntry[][],
  change: Partial<{
    commit: () => Promise<void>;
    tell: () => Promise<void>;
    refold: () => Promise<void>;
    late: string[];
  }> = {},
) {
  const steps: string[] = [];
  const control = new DrainControl();
  const drain: RowDrain = {
    logger: silent,
    reader: {
      next: async () => {
        const next = entries.shift();
        if (next === undefined) control.stop(0);
        return next ?? [];
      },
      done: async (list) => void steps.push(`done ${list.map(({ id }) => id).join()}`),
      bury: async (payload, reason) => void steps.push(`bury ${payload.toString()} ${reason}`),
    },
    writer: {
      commit: async (batches) => {
        await change.commit?.();
        steps.push(`commit ${batches.length}`);
        return { acked: new Map([['p1', 5]]), late: new Set(change.late ?? []), unfit: [] };
      },
    },
    acks: {
      tell: async () => {
        await change.tell?.();
        steps.push('tell');
      },
      oldestMs: async () => 77,
    },
    keeper: {
      organisations: async () => [],
      refold: async (orgId) => {
        await change.refold?.();
        steps.push(`refold ${orgId}`);
      },
      closeLost: async () => [],
      sweep: async () => {},
    },
  };
  return { steps, run: () => drainRows(drain, control), drain };
}

describe('rows from the stream into the ledger', () => {
  it('KEY-6: commits first, then tells the processes, then takes the entries out of the stream', async () => {
    const { steps, run } = rig([[entry('1-0'), entry('2-0')]]);
    await run();
    expect(steps).toEqual(['commit 2', 'tell', 'done 1-0,2-0']);
  });

  it('KEY-6: a store that fails is tried again with the same batches; nothing is acknowledged before', async () => {
    let failures = 2;
    const fail = async (): Promise<void> => {
      if (failures-- > 0) throw new Error('away');
    };
    const { steps, run } = rig([[entry('1-0')]], { commit: fail });
    await run();
    expect(steps).toEqual(['commit 1', 'tell', 'done 1-0']);
  });

  it('KEY-6: what cannot be stored goes to the dead letters and holds nobody up', async () => {
    const { steps, run } = rig([[entry('1-0', 'rubbish')]]);
    await run();
    expect(steps).toEqual(['commit 1', 'bury rubbish not JSON', 'tell', 'done 1-0']);
  });

  it('KEY-6: late words of a closed process set its sums anew, again and again until it works', async () => {
    let failures = 1;
    const { steps, run } = rig([[entry('1-0')], [], []], {
      late: ['org_a'],
      refold: async () => {
        if (failures-- > 0) throw new Error('lock');
      },
    });
    await run();
    expect(steps.filter((step) => step === 'refold org_a')).toHaveLength(1);
  });

  it('KEY-6: what every process shipped is judged before one of them is taken for lost', async () => {
    const { run, drain } = rig([[]]);
    const seen: number[] = [];
    const keeper = {
      ...drain.keeper,
      organisations: async () => ['org_a'],
      closeLost: async (_org: string, patience: { readonly committedToMs: number }) => {
        seen.push(patience.committedToMs);
        return [];
      },
    };
    const { run: again } = { run: () => drainRows({ ...drain, keeper }, new DrainControlOnce()) };
    await again();
    expect(seen).toEqual([77]);
    await run();
  });
});

/** Ends after one look. */
class DrainControlOnce extends DrainControl {
  #rounds = 0;
  override goesOn(): boolean {
    return this.#rounds++ === 0;
  }
}
