import { failureOf } from './failure.js';
import { TargetState } from './target-state.js';

function rig(): { state: TargetState; told: (number | null)[]; fail: (times: number, atMs: number) => void } {
  const told: (number | null)[] = [];
  const state = new TargetState('p/m', (_target, coolMs) => told.push(coolMs));
  return {
    state,
    told,
    fail: (times, atMs) => {
      for (let i = 0; i < times; i++) state.bad(atMs, failureOf('server_error'));
    },
  };
}

describe('TargetState', () => {
  it('RTE-3: opens after five faults that are half of the calls, cools down, lets one probe through, and closes when it is well', () => {
    const { state, told, fail } = rig();
    fail(4, 1_000);
    expect([state.breaker, state.mayTry(1_000)]).toEqual(['closed', true]);
    fail(1, 1_000);
    expect([state.breaker, state.sinceMs, state.openUntilMs, state.reason]).toEqual([
      'open',
      1_000,
      11_000,
      'server_error',
    ]);
    expect(state.mayTry(10_999)).toBe(false);
    expect(state.mayTry(11_000)).toBe(true);
    expect(state.breaker).toBe('half_open');
    state.begin(11_000);
    expect(state.mayTry(11_001)).toBe(false);
    state.good(11_100, 50);
    state.end();
    expect([state.breaker, state.reason, state.mayTry(11_100)]).toEqual(['closed', null, true]);
    expect(told).toEqual([10_000, null]);
    fail(4, 11_200); // what it did before is forgotten
    expect(state.breaker).toBe('closed');
  });

  it('RTE-3: a probe that fails opens it again for twice as long, up to five minutes', () => {
    const { state, told, fail } = rig();
    let atMs = 1_000;
    fail(5, atMs);
    for (let round = 0; round < 8; round++) {
      atMs = state.openUntilMs;
      expect(state.mayTry(atMs)).toBe(true);
      state.begin(atMs);
      fail(1, atMs);
      state.end();
    }
    expect(told).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000, 300_000]);
  });

  it('RTE-3: faults among many good answers, and faults long ago, open nothing', () => {
    const { state, fail } = rig();
    for (let i = 0; i < 20; i++) state.good(1_000, 10);
    fail(10, 1_000);
    expect(state.breaker).toBe('closed');
    expect(state.recent(1_000)).toEqual({ errorRate: 1 / 3, calls: 30 });
    const slow = rig();
    for (let i = 0; i < 20; i++) slow.fail(1, i * 16_000);
    expect(slow.state.breaker).toBe('closed');
  });

  it('RTE-2: a provider that asks to be left alone is, for as long as it asks', () => {
    const { state } = rig();
    state.bad(1_000, { class: 'rate_limit', status: 429, retryAfterMs: 3_000 });
    expect([state.breaker, state.openUntilMs, state.reason]).toEqual(['open', 4_000, 'rate_limit']);
    state.bad(1_000, { class: 'rate_limit', status: 429, retryAfterMs: 86_400_000 });
    expect(state.openUntilMs).toBe(301_000);
  });

  it('RTE-2: a refused credential opens it at once', () => {
    const { state } = rig();
    state.bad(1_000, { class: 'auth', status: 401, retryAfterMs: null });
    expect([state.breaker, state.openUntilMs]).toEqual(['open', 31_000]);
    for (let i = 0; i < 9; i++) state.bad(2_000, { class: 'auth', status: 401, retryAfterMs: null });
    expect(state.openUntilMs).toBe(31_000); // calls that were under way do not lengthen it
  });

  it("RTE-3: a caller's mistake during a probe shows that the target is well; a caller that leaves shows nothing", () => {
    const { state, fail } = rig();
    fail(5, 1_000);
    expect(state.mayTry(11_000)).toBe(true);
    const probe = state.begin(11_000);
    state.bad(11_010, failureOf('caller_left'), probe);
    state.end();
    expect([state.breaker, state.mayTry(11_010)]).toEqual(['half_open', true]);
    state.begin(11_010);
    state.bad(11_020, { class: 'invalid_request', status: 400, retryAfterMs: null });
    expect(state.breaker).toBe('closed');
  });

  it('RTE-3: a call that leaves, and was no probe, does not let a second one in beside the probe', () => {
    const { state, fail } = rig();
    const before = state.begin(900);
    fail(5, 1_000);
    expect(state.mayTry(11_000)).toBe(true);
    const probe = state.begin(11_000);
    const alone = state.begin(11_001); // a model by itself is called all the same
    for (const other of [before, alone]) state.bad(11_010, failureOf('caller_left'), other);
    expect([before, alone, state.breaker, state.mayTry(11_010)]).toEqual([0, 0, 'half_open', false]);
    state.bad(11_020, failureOf('caller_left'), probe);
    expect(state.mayTry(11_020)).toBe(true);
  });

  it('RTE-3: the latency of whole answers is apart from that to the first content of streams', () => {
    const { state } = rig();
    state.good(1_000, 100, true);
    state.good(1_000, 9_000, false);
    expect([state.latencyMs, state.expectedMs(1_000, true), state.expectedMs(1_000, false)]).toEqual([100, 100, 9_000]);
  });

  it('a probe without a verdict keeps others away for two minutes only', () => {
    const { state, fail } = rig();
    fail(5, 1_000);
    state.mayTry(11_000);
    state.begin(11_000);
    expect([state.mayTry(130_999), state.mayTry(131_000)]).toEqual([false, true]);
  });

  it("RTE-3: takes over others' openings and closings without telling them back", () => {
    const { state, told } = rig();
    state.adoptOpen(1_000, 5_000, 'overloaded');
    state.adoptOpen(1_000, 2_000, 'connect');
    expect([state.breaker, state.openUntilMs, state.reason]).toEqual(['open', 6_000, 'overloaded']);
    state.adoptClosed(2_000);
    expect([state.breaker, told]).toEqual(['closed', []]);
  });

  it('RTE-3: the latency follows what is measured, fades when nothing is, and grows with queue and errors', () => {
    const { state } = rig();
    expect([state.latencyMs, state.expectedMs(1)]).toEqual([null, 0]);
    state.good(1_000, 100);
    for (let i = 1; i <= 20; i++) state.good(1_000 + i * 100, 500);
    expect(state.latencyMs).toBeGreaterThan(490);
    const now = state.expectedMs(3_000);
    expect(state.expectedMs(63_000)).toBeLessThan(now / 2);
    state.begin(3_000);
    expect(state.expectedMs(3_000)).toBeCloseTo(now * 2, 5);
    state.end();
    state.bad(3_000, failureOf('server_error'));
    expect(state.expectedMs(3_000)).toBeGreaterThan(now);
  });
});
