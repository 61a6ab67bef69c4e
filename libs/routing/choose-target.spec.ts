import { PLAIN, routingBench, type Bench } from '../../test/fakes/routing.js';
import { failureOf } from './failure.js';
import { seededRandom } from './simulate.js';

function served(bench: Bench, name: string, affinityKey: string | null = null): string {
  const run = bench.router.route(bench.plan(name), { ...PLAIN, affinityKey, startedMs: bench.clock.ms });
  const id = run.next(bench.clock.ms)?.target.id ?? 'none';
  run.succeeded(bench.clock.ms);
  return id;
}

function tally(bench: Bench, name: string, calls: number, key?: (call: number) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let call = 0; call < calls; call++) {
    const id = served(bench, name, key?.(call) ?? null);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

const two = (strategy: string, weights: readonly number[] = [1, 1]): unknown => ({
  steps: [{ strategy, targets: ['a/small', 'b/small'].map((model, at) => ({ model, weight: weights[at] })) }],
});

describe('chooseTarget', () => {
  it('RTE-3: weighted: calls and conversations are shared out in proportion to the weights', () => {
    const bench = routingBench({ chain: two('weighted', [3, 1]) }, { random: seededRandom(7) });
    expect(tally(bench, 'chain', 4_000)['a/small']! / 4_000).toBeCloseTo(0.75, 1);
    expect(tally(bench, 'chain', 4_000, (call) => `conversation ${call}`)['a/small']! / 4_000).toBeCloseTo(0.75, 1);
  });

  it('RTE-1: a weight of 0 parks a target', () => {
    const bench = routingBench({ chain: two('weighted', [0, 1]) });
    expect(tally(bench, 'chain', 50)).toEqual({ 'b/small': 50 });
  });

  it('RTE-3: round-robin takes turns', () => {
    const bench = routingBench({ chain: two('round-robin') });
    expect([1, 2, 3, 4].map(() => served(bench, 'chain'))).toEqual(['a/small', 'b/small', 'a/small', 'b/small']);
  });

  it('RTE-3: least-busy goes where the fewest calls are under way, by weight', () => {
    const bench = routingBench({ chain: two('least-busy', [1, 3]) });
    const start = (): string => {
      const run = bench.router.route(bench.plan('chain'), { ...PLAIN, startedMs: bench.clock.ms });
      return run.next(bench.clock.ms)?.target.id ?? 'none';
    };
    const counts = Array.from({ length: 40 }, start).filter((id) => id === 'b/small').length;
    expect(counts).toBe(30);
  });

  it('RTE-3: latency goes where the first content comes soonest, and back when that has changed', () => {
    const bench = routingBench({ chain: two('latency') });
    const [a, b] = [bench.router.health.stateOf('a/small'), bench.router.health.stateOf('b/small')];
    a.good(bench.clock.ms, 300);
    b.good(bench.clock.ms, 100);
    const run = bench.router.route(bench.plan('chain'), { ...PLAIN, startedMs: bench.clock.ms });
    expect(run.next(bench.clock.ms)?.target.id).toBe('b/small');
    for (let i = 0; i < 20; i++) b.good(bench.clock.ms + i, 900);
    expect(served(bench, 'chain')).toBe('a/small');
  });

  it('RTE-3: cost goes to the cheapest that may be tried; one without a price comes last', () => {
    const chain = {
      steps: [{ strategy: 'cost', targets: ['a/small', 'b/small', 'c/small'].map((model) => ({ model })) }],
    };
    const bench = routingBench({ chain }, { costs: { 'b/small': 500, 'c/small': 200 } });
    expect(served(bench, 'chain')).toBe('c/small');
    bench.router.health.stateOf('c/small').adoptOpen(bench.clock.ms, 9_000, 'connect');
    expect(served(bench, 'chain')).toBe('b/small');
    bench.router.health.stateOf('b/small').adoptOpen(bench.clock.ms, 9_000, 'connect');
    expect(served(bench, 'chain')).toBe('a/small');
  });

  it('RTE-3: cost follows a price that changes, also in a plan that was made before', () => {
    const costs: Record<string, number> = { 'a/small': 300, 'b/small': 200 };
    const bench = routingBench({ chain: two('cost') }, { costs });
    expect(served(bench, 'chain')).toBe('b/small');
    costs['b/small'] = 400;
    expect(served(bench, 'chain')).toBe('a/small');
  });

  it.each(['weighted', 'round-robin', 'least-busy', 'latency', 'cost'])(
    'RTE-3: %s: a conversation stays at its target while that is well, moves when it is not, and does not drag others along',
    (strategy) => {
      const bench = routingBench({ chain: two(strategy) }, { random: seededRandom(3) });
      const keys = Array.from({ length: 50 }, (_, at) => `conversation ${at}`);
      const before = keys.map((key) => served(bench, 'chain', key));
      expect(keys.map((key) => served(bench, 'chain', key))).toEqual(before);
      bench.router.health.stateOf('a/small').adoptOpen(bench.clock.ms, 9_000, 'connect');
      expect(new Set(keys.map((key) => served(bench, 'chain', key)))).toEqual(new Set(['b/small']));
    },
  );

  it('RTE-3: two processes send a conversation to the same target', () => {
    const [one, other] = [routingBench({ chain: two('weighted') }), routingBench({ chain: two('weighted') })];
    for (let at = 0; at < 100; at++) {
      expect(served(one, 'chain', `c${at}`)).toBe(served(other, 'chain', `c${at}`));
    }
  });

  it('RTE-3: a target that fails is left out for the rest of the request, its step goes on', () => {
    const bench = routingBench({ chain: two('round-robin') });
    const run = bench.router.route(bench.plan('chain'), { ...PLAIN, startedMs: bench.clock.ms });
    expect(run.next(1_000)?.target.id).toBe('a/small');
    run.failed(1_000, failureOf('tls'));
    expect(run.next(1_000)?.target.id).toBe('b/small');
    expect(run.failed(1_000, failureOf('tls')).action).toBe('give');
  });
});
