import { AppError } from '#libs/platform/errors.js';
import { routeHeaders } from '../refusal.js';
import type { DryRun, TargetView } from '../route-observer.js';
import type { SimulatedAttempt, Simulation } from '../simulate.js';
import { toInstant } from './chains.presenter.js';
import type { SimulateDto, SimulatedAttemptDto, SimulationDto, TargetDto } from './routing.dto.js';

/** @throws AppError `invalid_request` unless exactly one of chain and model is given */
export function toDryRun(orgId: string, dto: SimulateDto): DryRun {
  const { chain, model, context = {} } = dto;
  const name = chain ?? model;
  if (name === undefined || (chain !== undefined && model !== undefined)) {
    throw new AppError('invalid_request', { text: 'Give either "chain" or "model".', param: 'chain' });
  }
  return {
    request: { orgId, model: name, keyChain: context.key_chain ?? null, teamChain: context.team_chain ?? null },
    errors: dto.errors ?? [],
    conversation: context.conversation ?? null,
    pinned: context.pinned ?? null,
    cooling: context.cooling ?? [],
    health: context.health ?? 'closed',
    seed: context.seed ?? 1,
  };
}

export function toSimulationDto(simulation: Simulation): SimulationDto {
  const { run, path, outcome } = simulation;
  const last = outcome === 'served' ? path.at(-1)?.attempt.target.target : undefined;
  const served = last === undefined ? null : { provider: last.provider.name, model: last.model };
  return {
    chain: run.plan.chain,
    outcome,
    served,
    attempts: path.length,
    path: path.map(toAttemptDto),
    refusal: simulation.refusal,
    unused_errors: simulation.unusedErrors,
    duration_ms: Math.round(simulation.durationMs),
    headers: {
      ...routeHeaders(run),
      ...(served === null ? {} : { 'x-smartflow-provider': served.provider, 'x-smartflow-model': served.model }),
    },
  };
}

function toAttemptDto({ attempt, atMs, error, verdict }: SimulatedAttempt): SimulatedAttemptDto {
  const { provider, model } = attempt.target.target;
  const isAgain = verdict.action === 'again';
  return {
    attempt: attempt.number,
    step: attempt.step,
    target: attempt.target.id,
    provider: provider.name,
    model,
    at_ms: Math.round(atMs),
    timeout_ms: Math.round(attempt.firstByteMs),
    error,
    class: attempt.failure?.class ?? null,
    action:
      verdict.action === 'done' ? 'served' : verdict.action === 'give' ? 'give' : verdict.sameTarget ? 'retry' : 'next',
    delay_ms: isAgain ? Math.round(verdict.delayMs) : 0,
  };
}

export function toTargetDto(view: TargetView): TargetDto {
  return {
    target: view.name,
    provider: view.provider,
    model: view.model,
    state: view.state,
    since: toInstant(view.sinceMs),
    retry_at: toInstant(view.retryAtMs),
    reason: view.reason,
    error_rate: Math.round(view.errorRate * 1000) / 1000,
    calls: view.calls,
    in_flight: view.inFlight,
    latency_ms: view.latencyMs === null ? null : Math.round(view.latencyMs * 10) / 10,
    chains: view.chains,
  };
}
