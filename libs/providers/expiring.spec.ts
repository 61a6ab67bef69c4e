import { jest } from '@jest/globals';
import { ExpiringValue, type Expiring } from './expiring.js';

function setUp(lifetimeMs = 3_600_000) {
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs, monotonic: () => clock.nowMs };
  let fetched = 0;
  let failure: Error | null = null;
  let gate: Promise<void> | null = null;
  const fetch = jest.fn(async (): Promise<Expiring<string>> => {
    const number = ++fetched;
    await gate;
    if (failure !== null) throw failure;
    return { value: `t${number}`, expiresAtMs: clock.nowMs + lifetimeMs };
  });
  return {
    clock,
    fetch,
    value: new ExpiringValue(fetch, clock),
    fail: (error: Error | null) => void (failure = error),
    hold: () => {
      let open = (): void => {};
      gate = new Promise((resolve) => (open = resolve));
      return () => {
        gate = null;
        open();
      };
    },
  };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ExpiringValue', () => {
  it('is fetched once for all who wait, then at hand', async () => {
    const { value, fetch } = setUp();
    expect(value.current()).toBeNull();
    await Promise.all([value.refresh(), value.refresh(), value.refresh()]);
    expect(value.current()).toBe('t1');
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('is renewed ahead in the background while the old one still serves', async () => {
    const { value, fetch, clock } = setUp();
    await value.refresh();
    clock.nowMs += 3_600_000 - 30_000 - 300_000 - 1;
    expect(value.current()).toBe('t1');
    expect(fetch).toHaveBeenCalledTimes(1);
    clock.nowMs += 1;
    expect([value.current(), value.current()]).toEqual(['t1', 't1']);
    await turn();
    expect(value.current()).toBe('t2');
    expect(fetch).toHaveBeenCalledTimes(2);
    expect(value.recent()).toEqual(['t2', 't1']);
  });

  it('no longer counts shortly before its end', async () => {
    const { value, clock, fail } = setUp(60_000);
    await value.refresh();
    fail(new Error('down'));
    clock.nowMs += 29_999;
    expect(value.current()).toBe('t1');
    await turn();
    clock.nowMs += 1;
    expect(value.current()).toBeNull();
    expect(value.last()).toBe('t1');
  });

  it('a failure is everybody’s until the pause is over; pauses grow to their bound', async () => {
    const { value, fetch, clock, fail } = setUp();
    fail(new Error('down'));
    let waited = 1000;
    for (let round = 1; round <= 8; round++) {
      await expect(value.refresh()).rejects.toMatchObject({ code: 'upstream_credentials' });
      await expect(value.refresh()).rejects.toMatchObject({ code: 'upstream_credentials' });
      expect(fetch).toHaveBeenCalledTimes(round);
      clock.nowMs += waited - 1;
      await expect(value.refresh()).rejects.toMatchObject({ code: 'upstream_credentials' });
      expect(fetch).toHaveBeenCalledTimes(round);
      clock.nowMs += 1;
      waited = Math.min(waited * 2, 30_000);
    }
    fail(null);
    await value.refresh();
    expect(value.current()).toBe('t9');
  });

  it('a failed renewal in the background does not disturb those who have a value', async () => {
    const { value, fetch, clock, fail } = setUp();
    await value.refresh();
    fail(new Error('down'));
    clock.nowMs += 3_300_000;
    expect(value.current()).toBe('t1');
    await turn();
    expect(value.current()).toBe('t1');
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it('one that is refused is fetched anew, but not when it is brand new', async () => {
    const { value, clock } = setUp();
    await value.refresh();
    value.refused();
    expect(value.current()).toBe('t1');
    clock.nowMs += 30_000;
    value.refused();
    expect(value.current()).toBeNull();
    await value.refresh();
    expect(value.current()).toBe('t2');
  });

  it('one that is about to expire when it comes is a failure', async () => {
    const { value } = setUp(30_000);
    await expect(value.refresh()).rejects.toMatchObject({ code: 'upstream_credentials' });
    expect(value.current()).toBeNull();
  });

  it('a slow renewal is shared by those who come later', async () => {
    const { value, fetch, hold } = setUp();
    const open = hold();
    const first = value.refresh();
    const second = value.refresh();
    open();
    await Promise.all([first, second]);
    expect(fetch).toHaveBeenCalledTimes(1);
  });
});
