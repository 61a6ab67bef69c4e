import { parseChain, type ChainSurroundings } from '../config.js';
import { checkFileChains } from './check-chains.js';
import { Findings } from './findings.js';

const chains: Readonly<Record<string, unknown>> = {
  back: { steps: [{ targets: [{ model: 'mine' }] }] },
  round: { steps: [{ targets: [{ model: 'back' }] }] },
  fine: { steps: [{ targets: [{ model: 'p/m' }] }] },
};
const around: ChainSurroundings = {
  isModel: (name) => name.startsWith('p/') || name === 'model',
  whyNoModel: () => 'is unknown',
  chainNamed: (name) => chains[name],
};
const step = (...targets: unknown[]): unknown => ({ targets });
const one = { model: 'p/m' };

function faults(chain: unknown, name = 'mine'): Record<string, string> {
  const parsed = parseChain(name, chain, around);
  return parsed.ok ? {} : Object.fromEntries(parsed.faults.map(({ path, message }) => [path, message]));
}

describe('parseChain', () => {
  it('RTE-1: takes a chain in the shape of the file and fills in its defaults', () => {
    const parsed = parseChain('mine', { steps: [step(one), step({ model: 'fine' })] }, around);
    expect(parsed).toEqual({
      ok: true,
      chain: {
        name: 'mine',
        steps: [
          { strategy: 'weighted', on: null, targets: [{ model: 'p/m', weight: 1, timeoutMs: null, idleMs: null }] },
          { strategy: 'weighted', on: null, targets: [{ model: 'fine', weight: 1, timeoutMs: null, idleMs: null }] },
        ],
        retry: {
          maxAttempts: null,
          attemptsPerTarget: null,
          deadlineMs: null,
          baseMs: null,
          maxBackoffMs: null,
          afterContent: 'give',
        },
        errors: {},
        affinity: 'conversation',
      },
    });
  });

  it.each<[unknown, string]>([
    [{ steps: [] }, 'steps'],
    [{}, 'steps'],
    [{ steps: 'x' }, 'steps'],
    [null, ''],
    [[], ''],
    [{ steps: [step()] }, 'steps[0].targets'],
    [{ steps: [{}] }, 'steps[0].targets'],
    [{ steps: [step({})] }, 'steps[0].targets[0].model'],
    [{ steps: [step({ model: '' })] }, 'steps[0].targets[0].model'],
    [{ steps: [step({ model: 'x y' })] }, 'steps[0].targets[0].model'],
    [{ steps: [step({ model: 'q/m' })] }, 'steps[0].targets[0].model'],
    [{ steps: [step(one, one)] }, 'steps[0].targets[1].model'],
    [{ steps: [step({ model: 'mine' })] }, 'steps[0].targets[0].model'],
    [{ steps: [step(one), step({ model: 'back' })] }, 'steps[1].targets[0].model'],
    [{ steps: [step({ model: 'round' })] }, 'steps[0].targets[0].model'],
    [{ steps: [step(one, { model: 'fine' })] }, 'steps[0].targets[1].model'],
    [{ steps: [step({ ...one, weight: -1 })] }, 'steps[0].targets[0].weight'],
    [{ steps: [step({ ...one, weight: '1' })] }, 'steps[0].targets[0].weight'],
    [{ steps: [step({ ...one, weight: 0 })] }, 'steps[0].targets'],
    [{ steps: [step({ ...one, timeout_ms: 0 })] }, 'steps[0].targets[0].timeout_ms'],
    [{ steps: [step({ ...one, timeout_ms: 1.5 })] }, 'steps[0].targets[0].timeout_ms'],
    [{ steps: [step({ ...one, timeout: 5 })] }, 'steps[0].targets[0].timeout'],
    [{ steps: [{ ...(step(one) as object), strategy: 'fastest' }] }, 'steps[0].strategy'],
    [{ steps: [{ strategy: 'round-robin', targets: [one, { model: 'p/n', weight: 2 }] }] }, 'steps[0].strategy'],
    [{ steps: [{ ...(step(one) as object), on: ['rate_limit'] }] }, 'steps[0].on'],
    [{ steps: [step(one), { ...(step(one) as object), on: ['bad luck'] }] }, 'steps[1].on[0]'],
    [{ steps: [step(one)], retry: { max_attempts: 0 } }, 'retry.max_attempts'],
    [{ steps: [step(one)], retry: { max_attempts: 2, attempts_per_target: 3 } }, 'retry.attempts_per_target'],
    [{ steps: [step(one)], retry: { base_ms: 500, max_backoff_ms: 100 } }, 'retry.max_backoff_ms'],
    [{ steps: [step(one)], retry: { attempts: 3 } }, 'retry.attempts'],
    [{ steps: [step(one)], errors: { rate_limit: 'panic' } }, 'errors.rate_limit'],
    [{ steps: [step(one)], errors: { caller_left: 'next' } }, 'errors.caller_left'],
    [{ steps: [step(one)], errors: { invalid_request: 'retry' } }, 'errors.invalid_request'],
    [{ steps: [step(one)], affinity: 'yes' }, 'affinity'],
    [{ steps: [step(one)], stepps: 1 }, 'stepps'],
    [{ steps: Array.from({ length: 17 }, () => step(one)) }, 'steps'],
  ])('RTE-1: refuses %j and names %s', (chain, path) => {
    expect(Object.keys(faults(chain))).toContain(path);
  });

  it.each(['', 'a/b', 'has blank', '-x', 'ü', 'x[1m]', 'model'])('RTE-1: refuses the name %j', (name) => {
    expect(faults({ steps: [step(one)] }, name)).toHaveProperty('name');
  });

  it('RTE-1: a circle is shown', () => {
    expect(faults({ steps: [step({ model: 'round' })] })['steps[0].targets[0].model']).toBe(
      'leads back to this chain (mine → round → back → mine)',
    );
  });

  it('CFG-5: reports all faults at once and never quotes what was sent', () => {
    const found = faults({ steps: [step({ model: 'secret/x', weight: 'hush' })], retry: { max_attempts: 'hush' } });
    expect(Object.keys(found).sort()).toEqual([
      'retry.max_attempts',
      'steps[0].targets[0].model',
      'steps[0].targets[0].weight',
    ]);
    expect(JSON.stringify(Object.values(found))).not.toContain('hush');
  });
});

describe('checkFileChains', () => {
  const check = (file: unknown): [string, string][] => {
    const findings = new Findings();
    checkFileChains(file, ['openai', 'local'], findings);
    return [...findings.faults, ...findings.warnings].map(({ path, message }) => [path, message]);
  };
  const file = (fallback_chains: unknown, models: unknown = { fast: { target: 'openai/x' } }): unknown => ({
    providers: { openai: { type: 'openai' }, local: { type: 'openai-compatible' } },
    models,
    fallback_chains,
  });

  it('RTE-1: takes what leads somewhere', () => {
    const steps = ['openai/gpt-5', 'fast', 'gpt-5', 'other'].map((model) => step({ model }));
    expect(check(file({ good: { steps }, other: { steps: [step({ model: 'local/a/b' })] } }))).toEqual([]);
  });

  it.each([
    ['opnai/gpt-5', 'names the provider "opnai", which is not declared (did you mean "openai"?)'],
    ['fats', 'is neither a model nor a chain (did you mean "fast"?)'],
    ['claude-sonnet-5', 'is neither a model nor a chain'],
    ['openai/', 'names the provider "openai", which is not declared (did you mean "openai"?)'],
  ])('RTE-1: refuses the target %s', (model, message) => {
    expect(check(file({ bad: { steps: [step({ model })] } }))).toEqual([
      ['fallback_chains.bad.steps[0].targets[0].model', message],
    ]);
  });

  it('RTE-1: refuses a chain with the name of a model, and warns of a model whose chain is not here', () => {
    expect(check(file({ fast: { steps: [step({ model: 'local/x' })] } }))).toEqual([
      ['fallback_chains.fast', 'is the name of a model: a chain needs a name of its own'],
    ]);
    expect(check(file({}, { fast: { target: 'openai/x', chain: 'later' } }))).toEqual([
      ['models.fast.chain', 'is no chain of this file: it counts once the API has made one of that name'],
    ]);
  });
});
