import { describe, expect, it } from '@jest/globals';
import { lastWords, type LedgerRow, parseLedgerRow } from './ledger-row.js';

const ID = 'req_0198c0de-0000-7000-8000-000000000001';
const text = (change: object = {}): string =>
  JSON.stringify({
    i: ID,
    o: 'org_a',
    p: 'p1',
    s: 'settled',
    e: 10,
    c: 7,
    b: ['k|life', 'o|m2026-11'],
    u: { keyId: 'key_1', model: 'gpt' },
    ...change,
  });
const rowOf = (json: string): LedgerRow => {
  const parsed = parseLedgerRow(json);
  if ('refused' in parsed || parsed.row === null) throw new Error('refused');
  return parsed.row;
};

describe('rows of the spool and the stream', () => {
  it('KEY-6: carries state, bound, cost, budgets and the event', () => {
    expect(rowOf(text())).toMatchObject({
      state: 'settled',
      processId: 'p1',
      boundNanos: 10,
      budgets: ['k|life', 'o|m2026-11'],
      event: { id: ID, orgId: 'org_a', costNanos: 7, keyId: 'key_1', model: 'gpt', usageSource: 'none' },
    });
  });

  it('KEY-6: the money of a row counts even where its description cannot be read', () => {
    for (const u of [null, 'text', { status: 'nonsense' }, { usage: 5 }]) {
      const parsed = parseLedgerRow(text({ u }));
      expect('refused' in parsed).toBe(false);
      expect(rowOf(text({ u })).event.costNanos).toBe(7);
    }
    expect(parseLedgerRow(text({ u: { latencyMs: -1 } }))).toMatchObject({
      problem: expect.stringContaining('latencyMs'),
    });
  });

  it('KEY-6: the event cannot change what the row says about money, organisation or id', () => {
    const { event } = rowOf(text({ u: { costNanos: 1, orgId: 'org_b', id: 'req_x' } }));
    expect(event).toMatchObject({ costNanos: 7, orgId: 'org_a', id: ID });
  });

  it('KEY-6: a call of which nothing was sent has no row', () => {
    expect(parseLedgerRow(text({ s: 'void' }))).toEqual({ row: null, problem: null });
  });

  it('refuses rows whose id or amounts are none', () => {
    const changes = [{ i: 'x' }, { i: undefined }, { o: '' }, { p: null }, { s: 'slice' }, { s: 'paid' }, { e: -1 }, { c: 1.5 }, { c: '7' },
      { c: 2 ** 60 }, { b: 'k' }, { b: [''] }, { b: ['a\0'] }]; // prettier-ignore
    for (const change of changes) expect(parseLedgerRow(text(change))).toHaveProperty('refused');
    for (const json of ['', '{', 'null', '[]', '5']) expect(() => parseLedgerRow(json)).not.toThrow();
  });

  it('KEY-6: a budget named twice in a row is charged once', () => {
    expect(rowOf(text({ b: ['k|life', 'k|life'] })).budgets).toEqual(['k|life']);
  });

  it('KEY-6: of several words about one call one is left: a known cost wins over an unknown one', () => {
    const settled = rowOf(text());
    const unknown = rowOf(text({ s: 'unknown', c: 10 }));
    expect(lastWords([unknown, settled])).toEqual([settled]);
    expect(lastWords([settled, unknown, unknown])).toEqual([settled]);
    expect(lastWords([settled, settled])).toHaveLength(1);
  });
});
