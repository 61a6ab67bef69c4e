import { PLAIN, routingBench } from '../../test/fakes/routing.js';
import { faultOfError, seededRandom, simulate, type SimulatedError } from './simulate.js';

const chains = {
  resilient: { steps: [{ targets: [{ model: 'a/small', timeout_ms: 5_000 }] }, { targets: [{ model: 'b/small' }] }] },
};

function path(errors: readonly SimulatedError[]): { ids: string[]; outcome: string; durationMs: number } {
  const bench = routingBench(chains);
  const simulation = simulate(bench.plan('resilient'), PLAIN, errors, seededRandom(1));
  return {
    ids: simulation.path.map(
      ({ attempt, verdict }) => `${attempt.target.id} ${attempt.failure?.class ?? verdict.action}`,
    ),
    outcome: simulation.outcome,
    durationMs: simulation.durationMs,
  };
}

describe('simulate', () => {
  it('RTE-4: shows the path for a sequence of errors', () => {
    expect(path([429, 529, 'timeout'])).toMatchObject({
      ids: ['a/small rate_limit', 'a/small overloaded', 'b/small first_byte_timeout', 'b/small done'],
      outcome: 'served',
    });
    expect(path([])).toMatchObject({ ids: ['a/small done'], outcome: 'served' });
    expect(path([404])).toMatchObject({ ids: ['a/small error_body', 'b/small done'] });
    expect(path(['unknown_model'])).toMatchObject({ ids: ['a/small unknown_model', 'b/small done'] });
    expect(path([400])).toMatchObject({ ids: ['a/small invalid_request'], outcome: 'failed' });
    expect(path([500, 500, 500, 500])).toMatchObject({ outcome: 'failed' });
  });

  it('RTE-4: a timeout takes the time of its target, on a made-up clock', () => {
    expect(path(['timeout', 401]).durationMs).toBeGreaterThanOrEqual(5_000);
  });

  it('RTE-4: takes answers in detail: bodies are classified as those of real calls', () => {
    const body = { error: { code: 'context_length_exceeded' } };
    expect(path([{ status: 400, body }]).ids).toEqual(['a/small context_length']);
    expect(path([{ status: 429, retry_after_s: 30 }]).ids).toEqual(['a/small rate_limit', 'b/small done']);
    expect(path([{ class: 'late_cut' }]).ids).toEqual(['a/small late_cut']);
  });

  it('RTE-4: the same seed gives the same run', () => {
    const [one, two] = [1, 2].map(() => {
      const bench = routingBench(chains);
      return simulate(bench.plan('resilient'), PLAIN, [500, 500], seededRandom(9)).durationMs;
    });
    expect(one).toBe(two);
  });

  it.each([
    [429, true],
    ['timeout', true],
    ['Rate_Limit', true],
    [{ status: 500 }, true],
    [{ class: 'dns', retry_after_s: 1 }, true],
    [99, false],
    [1.5, false],
    ['nonsense', false],
    ['toString', false],
    [{}, false],
    [{ status: '500' }, false],
    [{ class: 'x' }, false],
    [{ status: 429, retry_after_s: -1 }, false],
    [null, false],
    [[], false],
  ])('%j is usable: %s', (error, isUsable) => {
    expect(faultOfError(error) === null).toBe(isUsable);
  });
});
