import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { splitLongContext, type PlanTarget, type RoutePlan, type Target } from '#libs/routing/index.js';
import { mayUse } from './authorize.js';
import type { Exchange } from './exchange.js';
import { wayTo } from './way.js';

/**
 * Stage 4: which targets may serve the call, whether the key may use them, and which of them can be spoken to. A model that
 * does not exist and one the key may not use get the same answer, so that a key cannot find out what others have. Who may
 * use a chain's name, or a model that has a chain behind it, may be served by each of its targets.
 * @returns the first target, where the call will go as a rule
 * @throws AppError `model_not_found`, `wrong_dialect`, or `no_target_available` for a chain whose targets are all gone
 */
export function resolve(exchange: Exchange, key: KeyRecord): Target {
  const { modelRequested: model } = exchange;
  const plan = planOf(exchange, key, model);
  if (plan === null) {
    throw new AppError('model_not_found', {
      text: `The model "${shown(model)}" does not exist or this key may not use it.`,
      param: 'model',
    });
  }
  exchange.plan = plan;
  exchange.candidates = candidatesOf(exchange, plan);
  const [first] = exchange.candidates;
  if (first === undefined) throw plan.steps.length === 0 ? withoutTargets(plan) : unspoken(plan, model);
  exchange.first = first.target;
  return first.target;
}

/** The plan of a model or chain as a key sees it; `null` when there is none or the key may not use it. */
export function planOf({ snapshot }: Exchange, key: KeyRecord, model: string): RoutePlan | null {
  const { orgId, chain: keyChain, teamChain } = key;
  const plan = snapshot.chains.chainFor({ orgId, model, keyChain, teamChain });
  if (plan === null) return null;
  const target = snapshot.models.resolve(model);
  const isAllowed = target === null ? key.mayUseModel(splitLongContext(model).name) : mayUse(key, target);
  return isAllowed ? plan : null;
}

/** Targets of a plan that can take the call. */
function candidatesOf(exchange: Exchange, { steps }: RoutePlan): readonly PlanTarget[] {
  const [only, ...more] = steps;
  if (only === undefined) return [];
  // A model by itself: nothing is copied.
  const all = more.length === 0 ? only.targets : steps.flatMap((step) => step.targets);
  return all.every(({ target }) => wayTo(exchange, target) !== null)
    ? all
    : all.filter(({ target }) => wayTo(exchange, target) !== null);
}

function withoutTargets({ chain }: RoutePlan): AppError {
  return new AppError('no_target_available', {
    text: `The chain "${shown(chain ?? '')}" has no target that can be reached: their providers are not configured.`,
  });
}

function unspoken({ steps, chain }: RoutePlan, model: string): AppError {
  const dialects = steps.flatMap((step) =>
    step.targets.flatMap(({ target: { provider, model: name } }) =>
      [...provider.dialects].filter((dialect) => provider.speaks(dialect, name)),
    ),
  );
  const what = chain === null ? 'The model' : 'The chain behind';
  return new AppError('wrong_dialect', {
    text: `${what} "${shown(model)}" speaks ${[...new Set(dialects)].join(', ')} and does not offer this operation.`,
    param: 'model',
  });
}

/** A name from a caller, fit for an error text. */
function shown(name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const unfit = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
  return name.toWellFormed().replace(unfit, '?').slice(0, 100);
}
