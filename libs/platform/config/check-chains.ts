import { CHAIN_NAME } from './chain-schema.js';
import type { Findings, Path } from './findings.js';
import { didYouMean } from './suggest.js';
import { entriesOf, field, isMapping, listOf, textOf } from './untyped.js';

/** What the targets of chains may name. */
export interface ChainSurroundings {
  /** Whether a name leads to a model by itself: configured, `provider/model` or known by its prefix. */
  isModel(name: string): boolean;
  /** Why a name leads to no model, and what may have been meant. */
  whyNoModel(name: string): string;
  /** A chain as written, `undefined` when there is none of that name. */
  chainNamed(name: string): unknown;
}

/**
 * Everything about one chain that its schema cannot see; the same for the file and the API. The shape may still be wrong:
 * what does not fit is passed over here, since the schema reports it.
 */
export function checkChain(
  name: string,
  chain: unknown,
  around: ChainSurroundings,
  fault: (path: Path, message: string) => void,
): void {
  if (!CHAIN_NAME.test(name))
    return fault(['name'], 'must have letters, digits, dots, dashes and underscores, at most 128');
  if (around.isModel(name)) fault(['name'], 'is the name of a model: a chain needs a name of its own');
  const [first] = listOf(chain, 'steps');
  if (field(first, 'on') !== undefined)
    fault(['steps', 0, 'on'], 'the first step is where a call begins: it waits for no failure');
  for (const [index, step] of listOf(chain, 'steps').entries()) checkStep(step, ['steps', index], around, fault);
  const circle = circleFrom(name, chain, around);
  if (circle !== null) fault(circle.path, `leads back to this chain (${circle.names.join(' → ')})`);
  checkRetry(field(chain, 'retry'), fault);
  checkErrors(field(chain, 'errors'), fault);
}

function checkStep(
  step: unknown,
  path: Path,
  around: ChainSurroundings,
  fault: (path: Path, text: string) => void,
): void {
  const targets = listOf(step, 'targets');
  const seen = new Map<string, number>();
  for (const [index, target] of targets.entries()) {
    const model = textOf(target, 'model');
    if (model === undefined || model === '') continue;
    const at: Path = [...path, 'targets', index, 'model'];
    const first = seen.get(model);
    if (first !== undefined) fault(at, `is the same as targets[${first}] of this step: give one of them more weight`);
    else seen.set(model, index);
    if (around.isModel(model)) continue;
    if (around.chainNamed(model) === undefined) fault(at, around.whyNoModel(model));
    else if (targets.length > 1) fault(at, 'is a chain: a chain stands alone in its step');
  }
  const weights = targets.map((target) => field(target, 'weight') ?? 1);
  if (targets.length > 0 && weights.every((weight) => weight === 0)) {
    fault([...path, 'targets'], 'has no target with a weight above 0: none could be chosen');
  }
  if (field(step, 'strategy') === 'round-robin' && new Set(weights.filter((weight) => weight !== 0)).size > 1) {
    fault([...path, 'strategy'], 'round-robin takes turns and knows no weights: use weighted');
  }
}

function checkRetry(retry: unknown, fault: (path: Path, text: string) => void): void {
  const [base, most] = [field(retry, 'base_ms'), field(retry, 'max_backoff_ms')];
  if (typeof base === 'number' && typeof most === 'number' && base > most) {
    fault(['retry', 'max_backoff_ms'], 'must not be less than base_ms');
  }
  const [each, all] = [field(retry, 'attempts_per_target'), field(retry, 'max_attempts')];
  if (typeof each === 'number' && typeof all === 'number' && each > all) {
    fault(['retry', 'attempts_per_target'], 'must not be more than max_attempts');
  }
}

/** Failures of the request itself: at the same target it would fail again. */
const OF_THE_REQUEST: readonly string[] = ['invalid_request', 'content_refusal', 'context_length'];

function checkErrors(errors: unknown, fault: (path: Path, text: string) => void): void {
  if (!isMapping(errors)) return;
  for (const [name, action] of Object.entries(errors)) {
    if (action === 'retry' && OF_THE_REQUEST.includes(name)) {
      fault(['errors', name], 'cannot be retry: the same request would fail again at the same target');
    }
  }
}

/** The first way from a chain back to itself. */
function circleFrom(
  name: string,
  chain: unknown,
  around: ChainSurroundings,
): { readonly path: Path; readonly names: readonly string[] } | null {
  const walked = new Set<string>();
  const walk = (current: unknown, names: readonly string[]): { path: Path; names: readonly string[] } | null => {
    for (const [stepAt, step] of listOf(current, 'steps').entries()) {
      for (const [targetAt, target] of listOf(step, 'targets').entries()) {
        const model = textOf(target, 'model');
        if (model === undefined) continue;
        const path: Path = ['steps', stepAt, 'targets', targetAt, 'model'];
        if (model === name) return { path, names: [...names, name] };
        if (walked.has(model)) continue;
        walked.add(model);
        const next = around.chainNamed(model);
        const found = next === undefined ? null : walk(next, [...names, model]);
        if (found !== null) return { path, names: found.names };
      }
    }
    return null;
  };
  return walk(chain, [name]);
}

/** The type of provider that a name without a prefix leads to, as `libs/routing/model-index.ts` finds it. */
function typeByName(name: string): string | null {
  if (name.startsWith('claude-')) return 'anthropic';
  if (name.startsWith('gemini-')) return 'google';
  return /^(gpt-|o\d|text-embedding-|chatgpt-|codex-)/.test(name) ? 'openai' : null;
}

/** All chains of a file. */
export function checkFileChains(file: unknown, providers: readonly string[], findings: Findings): void {
  const chains = new Map(entriesOf(file, 'fallback_chains'));
  const models = entriesOf(file, 'models').map(([name]) => name);
  const types = entriesOf(file, 'providers').map(([, provider]) => textOf(provider, 'type'));
  const providerOf = (name: string): string | null => (name.includes('/') ? name.slice(0, name.indexOf('/')) : null);
  const around: ChainSurroundings = {
    isModel: (name) => {
      if (models.includes(name)) return true;
      const provider = providerOf(name);
      if (provider !== null) return providers.includes(provider) && provider.length < name.length - 1;
      const type = typeByName(name);
      return type !== null && types.includes(type);
    },
    whyNoModel: (name) => {
      const provider = providerOf(name);
      return provider === null
        ? `is neither a model nor a chain${didYouMean(name, [...models, ...chains.keys()])}`
        : `names the provider "${provider}", which is not declared${didYouMean(provider, providers)}`;
    },
    chainNamed: (name) => chains.get(name),
  };
  for (const [name, chain] of chains) {
    checkChain(name, chain, around, (path, message) =>
      findings.fault(['fallback_chains', name, ...(path[0] === 'name' ? [] : path)], message),
    );
  }
  for (const [path, owner] of whoNameChains(file)) {
    const chain = textOf(owner, 'chain');
    if (chain === undefined || chains.has(chain)) continue;
    findings.warning([...path, 'chain'], 'is no chain of this file: it counts once the API has made one of that name');
  }
}

/** Whatever a chain can stand behind, with its path. */
function* whoNameChains(file: unknown): Iterable<readonly [Path, unknown]> {
  for (const section of ['models', 'teams']) {
    for (const [name, owner] of entriesOf(file, section)) yield [[section, name], owner];
  }
  for (const [index, key] of listOf(file, 'keys').entries()) yield [['keys', index], key];
}
