import type { ChainRetryConfig, ChainSettings, ChainStepConfig, ChainTargetConfig } from '#libs/platform/config.js';
import type { Provider } from '#libs/providers/index.js';
import { actionTable } from './error-matrix.js';
import type { HealthBook } from './health-book.js';
import { splitLongContext, withLongContext, type ModelIndex, type Target } from './model-index.js';
import type { PlanStep, PlanTarget, RetryPolicy, RoutePlan } from './route-plan.js';

/** What a nominal call of an organisation costs now, in nano-dollars; `null`: no price is known. Bound in apps. */
export type NominalCost = (orgId: string, provider: Provider, model: string) => number | null;

/** What plans are compiled with. */
export interface PlanParts {
  readonly models: ModelIndex;
  readonly health: Pick<HealthBook, 'stateOf' | 'attachedStateOf' | 'passingStateOf'>;
  readonly costOf: NominalCost;
}

/** The same for the plans of one organisation. */
export interface CompileParts extends PlanParts {
  readonly orgId: string;
}

const DEFAULT_ATTEMPTS_PER_TARGET = 2;
const DEFAULT_BASE_MS = 250;
const DEFAULT_MAX_BACKOFF_MS = 8_000;
const LEAST_ATTEMPTS = 4;
const MOST_ATTEMPTS = 20;
/** Chains in chains are bounded by what a request could ever try. */
const MOST_PLAN_STEPS = 64;

const NO_OVERRIDES = actionTable({}, 'give');

/** Chains by name, as they can be reached from other chains. */
export type ChainByName = (name: string) => ChainSettings | null;

/**
 * The plan of a chain. Targets that cannot be reached (their provider was taken away since) are left out; without any the plan
 * has no step and each of its runs is refused. Chains that stand in a step are put in its place; one that leads back to
 * itself is left out there, the rest counts.
 *
 * @param longContext the caller wrote `[1m]`
 */
export function compileChain(
  name: string,
  chain: ChainSettings,
  parts: CompileParts,
  byName: ChainByName,
  longContext = false,
): RoutePlan {
  return planOf(name, chain, compileSteps(chain, parts, byName, longContext, new Set([name])));
}

/** The plan of a model that a chain stands behind: the model first, then the chain without it. */
export function compileAttached(
  target: Target,
  name: string,
  chain: ChainSettings,
  parts: CompileParts,
  byName: ChainByName,
): RoutePlan {
  const first = directStep(target, parts, 'attachedStateOf');
  const { id } = first.targets[0] as PlanTarget;
  const rest = compileSteps(chain, parts, byName, target.longContext, new Set([name]))
    .map((step) => ({ ...step, targets: step.targets.filter((one) => one.id !== id) }))
    .filter((step) => step.targets.length > 0);
  return planOf(name, chain, [first, ...rest]);
}

/**
 * The plan of a model by itself. Its error comes back as the provider sent it: nothing else could serve the call, and the
 * caller's SDK has retries of its own.
 */
export function compileDirect(target: Target, parts: CompileParts): RoutePlan {
  const { totalMs } = target.provider.timeouts;
  return {
    chain: null,
    steps: [directStep(target, parts, 'passingStateOf')],
    retry: {
      maxAttempts: 1,
      attemptsPerTarget: 1,
      deadlineMs: totalMs,
      baseMs: DEFAULT_BASE_MS,
      maxBackoffMs: DEFAULT_MAX_BACKOFF_MS,
    },
    actions: NO_OVERRIDES,
    usesAffinity: false,
    heedsBreakers: false,
  };
}

function planOf(name: string, chain: ChainSettings, steps: readonly PlanStep[]): RoutePlan {
  return {
    chain: name,
    steps,
    retry: retryOf(chain.retry, steps),
    actions: actionTable(chain.errors, chain.retry.afterContent),
    usesAffinity: chain.affinity === 'conversation' && steps.some((step) => step.targets.length > 1),
    heedsBreakers: true,
  };
}

function retryOf(retry: ChainRetryConfig, steps: readonly PlanStep[]): RetryPolicy {
  const targets = steps.flatMap((step) => step.targets);
  const usual = Math.min(Math.max(LEAST_ATTEMPTS, targets.length + 1), MOST_ATTEMPTS);
  const maxAttempts = retry.maxAttempts ?? usual;
  const baseMs = retry.baseMs ?? Math.min(DEFAULT_BASE_MS, retry.maxBackoffMs ?? DEFAULT_BASE_MS);
  return {
    maxAttempts,
    attemptsPerTarget: Math.min(retry.attemptsPerTarget ?? DEFAULT_ATTEMPTS_PER_TARGET, maxAttempts),
    // More than one wait for a first byte must fit, or a timeout could never lead to the next target.
    deadlineMs: retry.deadlineMs ?? Math.max(0, ...targets.map(({ target }) => target.provider.timeouts.totalMs)),
    baseMs,
    maxBackoffMs: retry.maxBackoffMs ?? Math.max(DEFAULT_MAX_BACKOFF_MS, baseMs),
  };
}

function compileSteps(
  chain: ChainSettings,
  parts: CompileParts,
  byName: ChainByName,
  longContext: boolean,
  around: ReadonlySet<string>,
): PlanStep[] {
  const steps: PlanStep[] = [];
  for (const step of chain.steps) {
    const [only] = step.targets;
    const inner = step.targets.length === 1 && only !== undefined ? innerChain(only.model, parts, byName) : null;
    if (inner !== null && only !== undefined) {
      if (around.has(only.model)) continue;
      const within = compileSteps(inner, parts, byName, longContext, new Set([...around, only.model]));
      steps.push(...(step.on === null ? within : within.map((one) => ({ ...one, on: new Set(step.on) }))));
    } else {
      const compiled = compileStep(step, parts, longContext);
      if (compiled !== null) steps.push(compiled);
    }
    if (steps.length >= MOST_PLAN_STEPS) break;
  }
  return steps.slice(0, MOST_PLAN_STEPS);
}

/** Configured models go before chains of the same name. */
function innerChain(name: string, parts: CompileParts, byName: ChainByName): ChainSettings | null {
  return parts.models.resolve(name) === null ? byName(name) : null;
}

function compileStep(step: ChainStepConfig, parts: CompileParts, longContext: boolean): PlanStep | null {
  const targets = step.targets
    .filter(({ weight }) => weight > 0)
    .map((one) => compileTarget(one, parts, longContext))
    .filter((one) => one !== null);
  if (targets.length === 0) return null;
  return { strategy: step.strategy, on: step.on === null ? null : new Set(step.on), targets, turn: { next: 0 } };
}

function compileTarget(config: ChainTargetConfig, parts: CompileParts, longContext: boolean): PlanTarget | null {
  const { model } = config;
  const target = parts.models.resolve(longContext ? withLongContext(splitLongContext(model).name) : model);
  if (target === null) return null;
  const { timeouts } = target.provider;
  return planTarget(target, parts, {
    weight: config.weight,
    firstByteMs: config.timeoutMs ?? timeouts.firstByteMs,
    idleMs: config.idleMs ?? timeouts.idleMs,
    stateOf: 'stateOf',
  });
}

function directStep(target: Target, parts: CompileParts, stateOf: StateOf): PlanStep {
  const { firstByteMs, idleMs } = target.provider.timeouts;
  return {
    strategy: 'weighted',
    on: null,
    targets: [planTarget(target, parts, { weight: 1, firstByteMs, idleMs, stateOf })],
    turn: { next: 0 },
  };
}

/** Whose a target is: the chain's, or a caller named it, with a chain behind it or without. */
type StateOf = keyof PlanParts['health'];

function planTarget(
  target: Target,
  { models, health, costOf, orgId }: CompileParts,
  given: Pick<PlanTarget, 'weight' | 'firstByteMs' | 'idleMs'> & { readonly stateOf: StateOf },
): PlanTarget {
  const id = `${target.provider.name}/${target.model}`;
  const { stateOf, ...limits } = given;
  return {
    id,
    target,
    ...limits,
    costNanos: () => costOf(orgId, target.provider, target.model),
    contextTokens: contextOf(models, target, id),
    state: health[stateOf](id),
  };
}

/** As the listing knows it: under the name it was asked by, as `provider/model`, or by its bare name there. */
function contextOf(models: ModelIndex, target: Target, id: string): number | null {
  const listed = models.list();
  for (const name of [target.requested, id]) {
    const found = listed.find((one) => one.id === name);
    if (found !== undefined) return found.contextTokens;
  }
  return listed.find((one) => one.id === target.model && one.provider === target.provider.name)?.contextTokens ?? null;
}
