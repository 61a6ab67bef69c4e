import type { Clock } from '#libs/platform/clock.js';
import type { ChainConfig, FailureClass, ModelConfig } from '#libs/platform/config.js';
import { AppError } from '#libs/platform/errors.js';
import type { RegistryFeed } from '#libs/registry/index.js';
import { ChainIndex, type ChainSources, type PlanRequest } from './chain-index.js';
import type { NominalCost, PlanParts } from './compile-chain.js';
import { HealthBook } from './health-book.js';
import type { ModelIndex } from './model-index.js';
import { pageByName, type Page } from './page-by-name.js';
import type { Router } from './router.js';
import type { RoutePlan } from './route-plan.js';
import { seededRandom, simulate, type SimulatedError, type Simulation } from './simulate.js';
import type { BreakerState } from './target-state.js';

/** What routing reads from the configuration in force, asked anew each time. Bound in apps. */
export interface RoutingSource {
  fileChains(): readonly ChainConfig[];
  fileModels(): readonly ModelConfig[];
  models(): ModelIndex;
  readonly costOf: NominalCost;
}

/** One target as `/api/routing/targets` shows it. */
export interface TargetView {
  /** `provider/model`. */
  readonly name: string;
  readonly provider: string;
  readonly model: string;
  readonly state: BreakerState;
  /** ms since 1970; the start of the process when it was never otherwise. */
  readonly sinceMs: number;
  /** When an open one will be tried again, ms since 1970. */
  readonly retryAtMs: number | null;
  readonly reason: FailureClass | null;
  readonly errorRate: number;
  readonly calls: number;
  readonly inFlight: number;
  readonly latencyMs: number | null;
  /** Names of the chains that have it. */
  readonly chains: readonly string[];
}

/** A dry run that was asked for. */
export interface DryRun {
  readonly request: PlanRequest;
  readonly errors: readonly SimulatedError[];
  readonly conversation: string | null;
  readonly pinned: string | null;
  /** Targets that are taken to cool down. */
  readonly cooling: readonly string[];
  /** `live`: what this process knows of its targets counts; `closed`: all are taken to be well but those that cool. */
  readonly health: 'live' | 'closed';
  readonly seed: number;
}

/** Looks at routing without taking part in it: dry runs and the health of targets, of this process. */
export class RouteObserver {
  #index: ChainIndex;

  constructor(
    private readonly router: Router,
    private readonly feed: RegistryFeed,
    private readonly source: RoutingSource,
    private readonly clock: Clock,
  ) {
    this.#index = new ChainIndex(this.#sources(), this.#parts(router.health));
  }

  /** Every target of a chain, of a configured model, and every other that was called; by name. */
  targets(orgId: string, limit: number, cursor: string | undefined): Page<TargetView> {
    this.#index = this.#index.at(this.#sources(), this.#parts(this.router.health));
    const chainsOf = new Map<string, Set<string>>();
    const add = (id: string, chain: string | null): void => {
      const chains = chainsOf.get(id) ?? new Set<string>();
      if (chain !== null) chains.add(chain);
      chainsOf.set(id, chains);
    };
    for (const state of this.router.health.states()) add(state.id, null);
    for (const name of [...this.#index.names(orgId), ...this.source.fileModels().map((model) => model.name)]) {
      const plan = this.#index.planOf(orgId, name);
      for (const step of plan?.steps ?? []) for (const { id } of step.targets) add(id, plan?.chain ?? null);
    }
    const page = pageByName(
      [...chainsOf.keys()].map((name) => ({ name })),
      limit,
      cursor,
    );
    const items = page.items.map(({ name }) => this.#view(name, [...(chainsOf.get(name) ?? [])].sort()));
    return { items, nextCursor: page.nextCursor };
  }

  /** @throws AppError `not_found` when the name leads nowhere, `invalid_request` when the context names what is not there */
  simulate(dryRun: DryRun): Simulation {
    const startedMs = 1;
    const index = new ChainIndex(this.#sources(), this.#parts(this.#supposed(dryRun, startedMs)));
    const plan = index.chainFor(dryRun.request);
    refuseUnknown(dryRun, index, plan);
    if (plan === null) {
      throw new AppError('not_found', { text: 'There is no chain and no model of that name.' });
    }
    const { conversation: affinityKey, pinned } = dryRun;
    const context = { affinityKey, pinned, isStream: true, canServe: null };
    return simulate(plan, context, dryRun.errors, seededRandom(dryRun.seed), startedMs);
  }

  /** States that a dry run may change as it likes. */
  #supposed({ health, cooling }: DryRun, atMs: number): HealthBook {
    const supposed = new HealthBook(this.clock);
    const nowMs = this.clock.monotonic();
    if (health === 'live') {
      for (const state of this.router.health.states()) {
        state.refresh(nowMs);
        if (state.breaker === 'open') {
          supposed.stateOf(state.id).adoptOpen(atMs, state.openUntilMs - nowMs, state.reason ?? 'server_error');
        }
      }
    }
    for (const id of cooling) supposed.stateOf(id).adoptOpen(atMs, COOLING_MS, 'server_error');
    return supposed;
  }

  #view(id: string, chains: readonly string[]): TargetView {
    const state = this.router.health.passingStateOf(id);
    const nowMs = this.clock.monotonic();
    state.refresh(nowMs);
    const toWallMs = this.clock.now() - nowMs;
    const slash = id.indexOf('/');
    const { errorRate, calls } = state.recent(nowMs);
    return {
      name: id,
      provider: id.slice(0, slash),
      model: id.slice(slash + 1),
      state: state.breaker,
      sinceMs: toWallMs + state.sinceMs,
      retryAtMs: state.breaker === 'open' ? toWallMs + state.openUntilMs : null,
      reason: state.breaker === 'closed' ? null : state.reason,
      errorRate,
      calls,
      inFlight: state.inFlight,
      latencyMs: state.latencyMs,
      chains,
    };
  }

  #sources(): ChainSources {
    const { source, feed } = this;
    return { registry: feed.current(), fileChains: source.fileChains(), fileModels: source.fileModels() };
  }

  #parts(health: HealthBook): PlanParts {
    return { models: this.source.models(), health, costOf: this.source.costOf };
  }
}

function refuseUnknown({ request, cooling }: DryRun, index: ChainIndex, plan: RoutePlan | null): void {
  const faults: { path: string; message: string }[] = [];
  const chains = { key_chain: request.keyChain, team_chain: request.teamChain };
  for (const [field, name] of Object.entries(chains)) {
    if (name !== null && index.named(request.orgId, name) === null)
      faults.push({ path: `context.${field}`, message: 'names no chain' });
  }
  const targets = new Set((plan?.steps ?? []).flatMap((step) => step.targets.map(({ id }) => id)));
  for (const [at, id] of cooling.entries()) {
    if (plan !== null && !targets.has(id))
      faults.push({ path: `context.cooling[${at}]`, message: 'is no target of this call' });
  }
  const text = faults.map(({ path, message }) => `${path} ${message}`).join('; ');
  if (faults.length > 0) throw new AppError('invalid_request', { text: `The dry run is invalid: ${text}.`, faults });
}

/** As long as a first cool-down lasts. */
const COOLING_MS = 10_000;
