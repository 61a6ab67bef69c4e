import { AppError } from '#libs/platform/errors.js';
import type { RouteRun } from './route-run.js';

/**
 * Why a run has no attempt left, for a caller that has no provider's answer to be given: names every attempt and every target
 * that cools down; `upstream_timeout` where the deadline left no time for a first one. Hosts and credentials do not occur in it.
 */
export function refusalOf(run: RouteRun, nowMs: number): AppError {
  const tried = run.attempts.map(
    ({ target, failure }) =>
      `${target.id} failed (${failure === null ? 'no answer' : said(failure.class, failure.status)})`,
  );
  const left = run.plan.steps
    .flatMap((step) => step.targets)
    .filter((one, at, all) => all.findIndex(({ id }) => id === one.id) === at)
    .filter((one) => !run.attempts.some(({ target }) => target.id === one.id))
    .map((one) => {
      const { id, state } = one;
      if (run.context.canServe?.(one) === false) return `${id} cannot serve this call`;
      if (state.breaker === 'closed') return `${id} was not tried`;
      const restS = Math.max(1, Math.ceil((state.openUntilMs - nowMs) / 1000));
      return `${id} cools down${state.reason === null ? '' : ` (${state.reason})`}, for another ${restS} s`;
    });
  const what = run.plan.chain === null ? 'The model' : `The chain "${run.plan.chain}"`;
  const { plan, context, attempts } = run;
  if (plan.steps.length > 0 && attempts.length === 0 && nowMs >= context.startedMs + plan.retry.deadlineMs) {
    return new AppError('upstream_timeout', { text: 'The time for the call was up before a provider could be asked.' });
  }
  return new AppError('no_target_available', {
    text:
      run.plan.steps.length === 0
        ? `${what} has no target that can be reached: their providers are not configured.`
        : `${what} has no target that can be tried now: ${[...tried, ...left].slice(0, 40).join('; ')}.`,
  });
}

function said(failureClass: string, status: number | null): string {
  return status === null ? failureClass : `${failureClass}, ${status}`;
}

/** Headers that tell the route taken (RTE-4); the provider and model that served stand in headers of the answer itself. */
export function routeHeaders(run: RouteRun): Record<string, string> {
  const headers: Record<string, string> = { 'x-smartflow-attempts': String(run.attempts.length) };
  if (run.plan.chain !== null) headers['x-smartflow-chain'] = run.plan.chain;
  return headers;
}
