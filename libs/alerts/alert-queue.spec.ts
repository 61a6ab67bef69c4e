import { createLogger } from '#libs/platform/logger.js';
import type { Alert } from './alert.js';
import { AlertQueue } from './alert-queue.js';

const logger = createLogger({ level: 'error', name: 'test', destination: { write: () => {} } });
const alert = (dedupeKey: string): Alert => ({
  orgId: 'o',
  kind: 'budget.refused',
  atMs: 0,
  dedupeKey,
  subject: 's',
  text: 't',
  data: {},
});

describe('alerts from the hot path', () => {
  it('KEY-7: the same thing raised again and again is one write', async () => {
    const batches: (readonly Alert[])[] = [];
    const queue = new AlertQueue({ add: async (alerts) => batches.push(alerts) }, logger);
    for (let i = 0; i < 1000; i++) queue.raise(alert(`a ${i % 2}`));
    await queue.close();
    expect(batches.map((batch) => batch.map(({ dedupeKey }) => dedupeKey))).toEqual([['a 0', 'a 1']]);
    queue.raise(alert('late'));
    await queue.close();
    expect(batches).toHaveLength(1);
  });

  it('OPS-3: while the store is away they wait, no more than a thousand, and are written in order when it is back', async () => {
    let isAway = true;
    const written: string[] = [];
    const add = async (alerts: readonly Alert[]): Promise<number> => {
      if (isAway) throw new Error('away');
      return written.push(...alerts.map(({ dedupeKey }) => dedupeKey));
    };
    const queue = new AlertQueue({ add }, logger);
    for (let i = 0; i < 1500; i++) queue.raise(alert(`a ${i}`));
    await new Promise((resolve) => setTimeout(resolve, 400));
    isAway = false;
    queue.raise(alert('a 1499'));
    await queue.close();
    expect([written.length, written[0], written.at(-1)]).toEqual([1000, 'a 0', 'a 999']);
  });
});
