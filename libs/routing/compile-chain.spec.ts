import { failureOf } from './failure.js';
import { PLAIN, routingBench } from '../../test/fakes/routing.js';

describe('compileChain', () => {
  it('RTE-2: with its defaults a chain gets over a provider that does not answer in time', () => {
    const chain = { steps: [{ targets: [{ model: 'a/small' }] }, { targets: [{ model: 'b/small' }] }] };
    const bench = routingBench({ chain });
    const run = bench.router.route(bench.plan('chain'), { ...PLAIN, startedMs: bench.clock.ms });
    const attempt = run.next(bench.clock.ms);
    bench.clock.ms += attempt?.firstByteMs ?? 0;
    const verdict = run.failed(bench.clock.ms, failureOf('first_byte_timeout'));
    expect(verdict.action).toBe('again');
  });

  it('RTE-1: limits that are left out are made from the targets', () => {
    const targets = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ model: `${'abcd'[at % 4]}/m${at}` }));
    const bench = routingBench({
      small: { steps: [{ targets: targets(1) }] },
      wide: { steps: [{ targets: targets(9) }] },
      huge: { steps: [{ targets: targets(32) }] },
      set: { steps: [{ targets: targets(9) }], retry: { max_attempts: 1, deadline_ms: 700, max_backoff_ms: 100 } },
    });
    expect(['small', 'wide', 'huge'].map((name) => bench.plan(name).retry.maxAttempts)).toEqual([4, 10, 20]);
    expect(bench.plan('set').retry).toEqual({
      maxAttempts: 1,
      attemptsPerTarget: 1,
      deadlineMs: 700,
      baseMs: 100,
      maxBackoffMs: 100,
    });
    expect(bench.plan('small').retry).toMatchObject({ attemptsPerTarget: 2, deadlineMs: 60_000, baseMs: 250 });
  });

  it('RTE-1: timeouts of a target go before those of its provider', () => {
    const bench = routingBench({
      chain: {
        steps: [{ targets: [{ model: 'a/x', timeout_ms: 1_234, idle_ms: 567 }] }, { targets: [{ model: 'b/x' }] }],
      },
    });
    const limits = bench
      .plan('chain')
      .steps.flatMap((step) => step.targets.map(({ firstByteMs, idleMs }) => [firstByteMs, idleMs]));
    expect(limits).toEqual([
      [1_234, 567],
      [30_000, 10_000],
    ]);
  });
});
