import { ERROR_MATRIX, failureOf, type Failure, type RouteRun, type Verdict } from '#libs/routing/index.js';
import { FAILURE_CLASSES, type FailureClass } from '#libs/platform/config.js';
import { PLAIN, routingBench, type Bench } from '../../test/fakes/routing.js';
import { refusalOf, routeHeaders } from './refusal.js';
import { seededRandom } from './simulate.js';

const step = (...names: string[]): unknown => ({ targets: names.map((model) => ({ model })) });
const failure = (failureClass: FailureClass, rest: Partial<Failure> = {}): Failure => ({
  ...failureOf(failureClass),
  ...rest,
});

function start(bench: Bench, name: string, context: Partial<Parameters<Bench['router']['route']>[1]> = {}): RouteRun {
  return bench.router.route(bench.plan(name), { ...PLAIN, startedMs: bench.clock.ms, ...context });
}

/** Lets attempts fail one after the other; the one after the last goes well. Returns who was tried and the last verdict. */
function play(bench: Bench, run: RouteRun, failures: readonly Failure[]): { tried: string[]; verdict: Verdict | null } {
  const tried: string[] = [];
  let verdict: Verdict | null = null;
  for (;;) {
    const attempt = run.next(bench.clock.ms);
    if (attempt === null) return { tried, verdict };
    tried.push(attempt.target.id);
    bench.clock.ms += 10;
    const one = failures[tried.length - 1];
    verdict = one === undefined ? run.succeeded(bench.clock.ms) : run.failed(bench.clock.ms, one);
    if (verdict.action !== 'again') return { tried, verdict };
    bench.clock.ms += verdict.delayMs;
  }
}

const chains = {
  two: { steps: [step('a/small'), step('b/small')] },
  once: { steps: [step('a/small'), step('b/small')], retry: { attempts_per_target: 1 } },
  sizes: { steps: [step('a/mid'), step('b/small'), step('c/big')] },
  special: {
    steps: [step('a/small'), { on: ['context_length'], targets: [{ model: 'b/small' }] }, step('c/small')],
    retry: { attempts_per_target: 1 },
  },
  spliced: { steps: [step('a/small'), step('b/small')], retry: { after_content: 'next' } },
  lenient: { steps: [step('a/small'), step('b/small')], errors: { content_refusal: 'next', server_error: 'give' } },
  outer: { steps: [step('a/small'), step('chain-inner'), step('d/small')], retry: { attempts_per_target: 1 } },
  'chain-inner': { steps: [step('b/small'), step('c/small')] },
};

describe('RouteRun', () => {
  it('RTE-1: a healthy first target serves, and nobody else is asked', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'two');
    expect(play(bench, run, [])).toEqual({ tried: ['a/small'], verdict: { action: 'done' } });
    expect(routeHeaders(run)).toEqual({ 'x-smartflow-attempts': '1', 'x-smartflow-chain': 'two' });
    expect(run.next(bench.clock.ms)).toBeNull();
  });

  it.each([
    ['rate_limit', ['a/small', 'a/small', 'b/small']],
    ['request_timeout', ['a/small', 'a/small', 'b/small']],
    ['server_error', ['a/small', 'a/small', 'b/small']],
    ['overloaded', ['a/small', 'a/small', 'b/small']],
    ['connect', ['a/small', 'a/small', 'b/small']],
    ['first_byte_timeout', ['a/small', 'a/small', 'b/small']],
    ['stall', ['a/small', 'a/small', 'b/small']],
    ['cut', ['a/small', 'a/small', 'b/small']],
    ['dns', ['a/small', 'b/small']],
    ['tls', ['a/small', 'b/small']],
    ['auth', ['a/small', 'b/small']],
    ['unknown_model', ['a/small', 'b/small']],
    ['quota', ['a/small', 'b/small']],
    ['request_too_large', ['a/small', 'b/small']],
    ['bad_output', ['a/small', 'b/small']],
    ['error_body', ['a/small', 'b/small']],
    ['bad_answer', ['a/small', 'b/small']],
  ] as const)('RTE-2: %s at the first target goes %j', (name, expected) => {
    const bench = routingBench(chains);
    const failures = expected.slice(1).map(() => failure(name));
    expect(play(bench, start(bench, 'two'), failures).tried).toEqual(expected);
  });

  it.each(['invalid_request', 'content_refusal', 'own_refusal', 'caller_left', 'late_cut', 'late_stall'] as const)(
    'RTE-2: %s is given to the caller after one attempt',
    (name) => {
      const bench = routingBench(chains);
      expect(play(bench, start(bench, 'two'), [failure(name)])).toEqual({
        tried: ['a/small'],
        verdict: { action: 'give' },
      });
    },
  );

  it('RTE-2: a context that is too long goes to a larger model only, and is given back where there is none', () => {
    const bench = routingBench(chains);
    const tooLong = failure('context_length', { status: 400 });
    expect(play(bench, start(bench, 'sizes'), [tooLong]).tried).toEqual(['a/mid', 'c/big']);
    expect(play(bench, start(bench, 'sizes'), [tooLong, tooLong])).toEqual({
      tried: ['a/mid', 'c/big'],
      verdict: { action: 'give' },
    });
    expect(play(bench, start(bench, 'two'), [tooLong]).tried).toEqual(['a/small']);
  });

  it('RTE-2: a step with "on" is used after its failures only', () => {
    const bench = routingBench(chains);
    expect(play(bench, start(bench, 'special'), [failure('context_length', { status: 400 })]).tried).toEqual([
      'a/small',
      'b/small',
    ]);
    expect(play(bench, start(bench, 'special'), [failure('server_error')]).tried).toEqual(['a/small', 'c/small']);
  });

  it('RTE-2: a chain overrides what is done about a class', () => {
    const bench = routingBench(chains);
    expect(play(bench, start(bench, 'lenient'), [failure('content_refusal', { status: 400 })]).tried).toEqual([
      'a/small',
      'b/small',
    ]);
    expect(play(bench, start(bench, 'lenient'), [failure('server_error')]).tried).toEqual(['a/small']);
  });

  it('RTE-2: Retry-After is waited for where it fits, and passed over where another target is free', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'two');
    run.next(bench.clock.ms);
    const short = run.failed(bench.clock.ms, failure('rate_limit', { status: 429, retryAfterMs: 2_000 }));
    expect(short).toEqual({ action: 'again', delayMs: 2_125, sameTarget: true });
    const fresh = routingBench(chains);
    const other = start(fresh, 'two');
    other.next(fresh.clock.ms);
    const long = other.failed(fresh.clock.ms, failure('rate_limit', { status: 429, retryAfterMs: 20_000 }));
    expect(long).toEqual({ action: 'again', delayMs: 0, sameTarget: false });
    expect(other.next(fresh.clock.ms)?.target.id).toBe('b/small');
  });

  it('RTE-2: who waited for a target as long as it asked is let through, also by a timer that fires a little early', () => {
    const bench = routingBench(chains);
    const run = bench.router.route(bench.plan('two'), { ...PLAIN, startedMs: bench.clock.ms });
    run.next(bench.clock.ms);
    run.failed(bench.clock.ms, failure('rate_limit', { status: 429, retryAfterMs: 2_000 }));
    expect(run.next(bench.clock.ms + 1_999)?.target.id).toBe('a/small');
  });

  it('RTE-2: a Retry-After that does not fit the deadline ends at the next target, or with the caller', () => {
    const bench = routingBench({ short: { steps: [step('a/small')], retry: { deadline_ms: 1_000 } } });
    const run = start(bench, 'short');
    run.next(bench.clock.ms);
    expect(run.failed(bench.clock.ms, failure('rate_limit', { retryAfterMs: 5_000 }))).toEqual({ action: 'give' });
  });

  it('RTE-3: no failover after the first content, unless the chain asks', () => {
    const bench = routingBench(chains);
    for (const name of ['cut', 'stall', 'late_cut', 'late_stall', 'server_error', 'error_body'] as const) {
      for (const [chain, action] of [
        ['two', 'give'],
        ['spliced', 'again'],
      ] as const) {
        const fresh = routingBench(chains);
        const run = start(fresh, chain);
        run.next(fresh.clock.ms);
        run.content(fresh.clock.ms);
        expect([name, run.failed(fresh.clock.ms, failure(name)).action]).toEqual([name, action]);
      }
    }
    const gone = start(bench, 'spliced');
    gone.next(bench.clock.ms);
    gone.content(bench.clock.ms);
    expect(gone.failed(bench.clock.ms, failure('caller_left')).action).toBe('give');
  });

  it('RTE-3: one deadline: it bounds the wait for content, and after it no attempt begins', () => {
    const bench = routingBench({ tight: { steps: [step('a/small'), step('b/small')], retry: { deadline_ms: 5_000 } } });
    const run = start(bench, 'tight');
    expect(run.next(bench.clock.ms)?.firstByteMs).toBe(5_000);
    bench.clock.ms += 4_000;
    expect(run.failed(bench.clock.ms, failure('connect')).action).toBe('again');
    bench.clock.ms += 200;
    expect(run.next(bench.clock.ms)?.firstByteMs).toBe(800);
    bench.clock.ms += 800;
    expect(run.failed(bench.clock.ms, failure('first_byte_timeout'))).toEqual({ action: 'give' });
    expect(run.next(bench.clock.ms)).toBeNull();
  });

  it('RTE-3: no attempt begins without time left, not even the first, and the caller learns that its time was up', () => {
    const bench = routingBench({ tight: { steps: [step('a/small')], retry: { deadline_ms: 5_000 } } });
    const run = start(bench, 'tight');
    bench.clock.ms += 5_000;
    expect(run.next(bench.clock.ms)).toBeNull();
    expect(refusalOf(run, bench.clock.ms)).toMatchObject({ code: 'upstream_timeout', status: 504 });
    expect(run.attempts).toEqual([]);
  });

  it('RTE-3: a wait that the deadline has cut short is not held against the target; one in full is', () => {
    const bench = routingBench({ tight: { steps: [step('a/small'), step('b/small')], retry: { deadline_ms: 5_000 } } });
    const [a, b] = ['a/small', 'b/small'].map((id) => bench.router.health.stateOf(id));
    for (let i = 0; i < 10; i++) {
      const run = start(bench, 'tight', { canServe: ({ id }) => i > 0 || id === 'b/small' });
      // Waiting for admission, or other attempts, took nearly all of the time.
      run.next(bench.clock.ms + 4_900);
      expect(run.failed(bench.clock.ms + 5_000, failure('first_byte_timeout')).action).toBe('give');
    }
    for (const one of [a, b]) expect([one?.breaker, one?.recent(bench.clock.ms).calls]).toEqual(['closed', 0]);
    const run = start(bench, 'tight');
    run.next(bench.clock.ms + 10);
    run.failed(bench.clock.ms + 5_000, failure('first_byte_timeout'));
    expect(a?.recent(bench.clock.ms + 5_000).calls).toBe(1);
  });

  it('RTE-3: a follow-up of a stored answer goes to its maker and to nobody else', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'once', { pinned: 'b/small' });
    expect(play(bench, run, [failure('server_error')])).toEqual({ tried: ['b/small'], verdict: { action: 'give' } });
    expect(play(bench, start(bench, 'once', { pinned: 'x/unknown' }), []).tried).toEqual(['a/small']);
  });

  it('RTE-3: a follow-up of an answer whose maker is not in the chain goes to the account that has it', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'once', { pinned: 'b/other' });
    expect(play(bench, run, [failure('server_error')])).toEqual({ tried: ['b/small'], verdict: { action: 'give' } });
  });

  it('RTE-3: whole answers and streams are compared with their like', () => {
    const bench = routingBench({
      fast: { steps: [{ strategy: 'latency', targets: [{ model: 'a/small' }, { model: 'b/small' }] }] },
    });
    const [a, b] = ['a/small', 'b/small'].map((id) => bench.router.health.stateOf(id));
    const serve = (target: string, isStream: boolean, tookMs: number): void => {
      const context = {
        ...PLAIN,
        isStream,
        startedMs: bench.clock.ms,
        canServe: ({ id }: { id: string }) => id === target,
      };
      const run = bench.router.route(bench.plan('fast'), context);
      run.next(bench.clock.ms);
      bench.clock.ms += tookMs;
      if (isStream) run.content(bench.clock.ms);
      run.succeeded(bench.clock.ms + 5_000);
    };
    // a is quick to begin and slow to end, and is asked for whole answers more often.
    serve('a/small', true, 100);
    for (let i = 0; i < 5; i++) serve('a/small', false, 4_000);
    serve('b/small', true, 400);
    serve('b/small', false, 2_000);
    expect([a?.latencyMs, b?.latencyMs]).toEqual([100, 400]);
    expect(start(bench, 'fast', { isStream: true }).next(bench.clock.ms)?.target.id).toBe('a/small');
    expect(start(bench, 'fast', { isStream: false }).next(bench.clock.ms)?.target.id).toBe('b/small');
  });

  it('LLM-7: targets that cannot serve a call are passed over', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'two', { canServe: ({ id }) => id !== 'a/small' });
    expect(play(bench, run, []).tried).toEqual(['b/small']);
    const none = start(bench, 'two', { canServe: () => false });
    expect(none.next(bench.clock.ms)).toBeNull();
    expect(refusalOf(none, bench.clock.ms).message).toContain('a/small cannot serve this call');
  });

  it('RTE-1: a chain in a step stands for its steps', () => {
    const bench = routingBench(chains);
    const failures = [1, 2, 3].map(() => failure('unknown_model'));
    expect(play(bench, start(bench, 'outer'), failures).tried).toEqual(['a/small', 'b/small', 'c/small', 'd/small']);
  });

  it('RTE-3: targets that cool down are passed over; when all do, the refusal is a 503 that lists them', () => {
    const bench = routingBench(chains);
    const { ms } = bench.clock;
    bench.router.health.stateOf('a/small').adoptOpen(ms, 8_000, 'server_error');
    expect(play(bench, start(bench, 'two'), []).tried).toEqual(['b/small']);
    bench.router.health.stateOf('b/small').adoptOpen(bench.clock.ms, 5_000, 'auth');
    const run = start(bench, 'two');
    expect(run.next(bench.clock.ms)).toBeNull();
    const refusal = refusalOf(run, bench.clock.ms);
    expect([refusal.code, refusal.status]).toEqual(['no_target_available', 503]);
    expect(refusal.message).toBe(
      'The chain "two" has no target that can be tried now: a/small cools down (server_error), for another 8 s; b/small cools down (auth), for another 5 s.',
    );
  });

  it('RTE-3: a model by itself is tried even while it cools down: refusing its calls would help nobody', () => {
    const bench = routingBench(chains);
    bench.router.health.stateOf('a/small').adoptOpen(bench.clock.ms, 60_000, 'server_error');
    expect(play(bench, start(bench, 'a/small'), []).tried).toEqual(['a/small']);
  });

  it('KEY-5: what a failed attempt reported is kept for the bill', () => {
    const bench = routingBench(chains);
    const usage = { inputTokens: 7 } as never;
    const run = start(bench, 'once');
    run.next(bench.clock.ms);
    run.failed(bench.clock.ms, failure('cut'), usage);
    expect(run.attempts[0]).toMatchObject({ number: 1, usage: { inputTokens: 7 }, failure: { class: 'cut' } });
  });

  it('a caller that leaves between two attempts ends the run', () => {
    const bench = routingBench(chains);
    const run = start(bench, 'two');
    run.next(bench.clock.ms);
    run.failed(bench.clock.ms, failure('connect'));
    run.left(bench.clock.ms);
    expect(run.next(bench.clock.ms)).toBeNull();
    expect(run.attempts).toHaveLength(1);
  });
});

describe('RouteRun, whatever happens', () => {
  const random = seededRandom(42);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const strategies = ['weighted', 'round-robin', 'least-busy', 'latency', 'cost'] as const;
  const names = ['a', 'b', 'c', 'd'].flatMap((provider) =>
    ['small', 'mid', 'big'].map((model) => `${provider}/${model}`),
  );

  function anyChain(): Record<string, unknown> {
    const steps = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, at) => ({
      strategy: pick(strategies),
      ...(at > 0 && random() < 0.2 ? { on: [pick(['context_length', 'rate_limit', 'server_error'])] } : {}),
      targets: [...new Set([pick(names), pick(names), pick(names)])].map((model) => ({ model })),
    }));
    const maxAttempts = 1 + Math.floor(random() * 8);
    const retry = {
      max_attempts: maxAttempts,
      attempts_per_target: 1 + Math.floor(random() * maxAttempts),
      deadline_ms: 100 + Math.floor(random() * 100_000),
      after_content: pick(['give', 'next']),
    };
    const errors =
      random() < 0.3 ? { [pick(['invalid_request', 'auth', 'server_error'])]: pick(['next', 'larger', 'give']) } : {};
    return { steps, retry, errors };
  }

  it('RTE-3: a run ends within its limits, after its deadline no attempt begins, and no target keeps a call', () => {
    for (let round = 0; round < 3_000; round++) {
      const chain = anyChain();
      const bench = routingBench({ any: chain }, { random });
      const run = start(bench, 'any', { affinityKey: random() < 0.5 ? `c${round}` : null });
      const { retry, actions } = bench.plan('any');
      const startedMs = bench.clock.ms;
      const perTarget = new Map<unknown, number>();
      let contentSent = false;
      let last: FailureClass | null = null;
      for (let turns = 0; ; turns++) {
        expect(turns).toBeLessThanOrEqual(retry.maxAttempts);
        const attempt = run.next(bench.clock.ms);
        if (attempt === null) break;
        // Never a repetition of what the caller did wrong, unless the chain says so.
        const isCallers = last === 'invalid_request' || last === 'content_refusal';
        if (isCallers && !contentSent) expect(actions[last as FailureClass]).not.toBe('give');
        expect(bench.clock.ms - startedMs).toBeLessThan(retry.deadlineMs);
        expect(attempt.firstByteMs).toBeLessThanOrEqual(
          Math.max(1, retry.deadlineMs - (attempt.startedMs - startedMs)),
        );
        perTarget.set(attempt.target, (perTarget.get(attempt.target) ?? 0) + 1);
        expect(perTarget.get(attempt.target)).toBeLessThanOrEqual(retry.attemptsPerTarget);
        bench.clock.ms += Math.floor(random() * 30_000);
        if (random() < 0.2) {
          run.content(bench.clock.ms);
          contentSent = true;
        }
        if (random() < 0.2) {
          run.succeeded(bench.clock.ms);
          break;
        }
        last = pick(FAILURE_CLASSES);
        const retryAfterMs = random() < 0.3 ? Math.floor(random() * 100_000) : null;
        const verdict = run.failed(bench.clock.ms, failure(last, { retryAfterMs, status: pick([null, 400, 500]) }));
        if (last === 'own_refusal' || last === 'caller_left') expect(verdict.action).toBe('give');
        if (contentSent && actions.late_cut === 'give') expect(verdict.action).toBe('give');
        if (verdict.action !== 'again') break;
        expect(verdict.delayMs).toBeLessThanOrEqual(60_000);
        expect(bench.clock.ms + verdict.delayMs - startedMs).toBeLessThan(retry.deadlineMs + 1);
        bench.clock.ms += verdict.delayMs;
      }
      expect(run.attempts.length).toBeLessThanOrEqual(retry.maxAttempts);
      for (const state of bench.router.health.states()) expect(state.inFlight).toBe(0);
    }
  });

  it('RTE-3: a target that is passed over counts as no attempt, is not blamed and not asked again', () => {
    const bench = routingBench({ one: { steps: [step('a/small'), step('b/small')] } }, { random });
    const run = start(bench, 'one');
    const passed = run.next(bench.clock.ms);
    run.passedOver();
    const second = run.next(bench.clock.ms);
    expect([passed?.target.id, second?.target.id, second?.number]).toEqual(['a/small', 'b/small', 1]);
    run.passedOver();
    expect(run.next(bench.clock.ms)).toBeNull();
    expect(run.attempts).toEqual([]);
    for (const state of bench.router.health.states()) expect([state.inFlight, state.breaker]).toEqual([0, 'closed']);
  });

  it('RTE-3: mistakes of callers, refusals of ours and callers that leave never open a breaker', () => {
    const blameless = FAILURE_CLASSES.filter((name) => ERROR_MATRIX[name].blame === 'none');
    const bench = routingBench({ one: { steps: [step('a/small', 'b/small'), step('c/small')] } }, { random });
    for (let round = 0; round < 2_000; round++) {
      const failures = [1, 2, 3, 4, 5].map(() => failure(pick(blameless), { status: pick([null, 400]) }));
      play(bench, start(bench, 'one'), failures);
      for (const state of bench.router.health.states()) expect(state.breaker).toBe('closed');
    }
  });
});
