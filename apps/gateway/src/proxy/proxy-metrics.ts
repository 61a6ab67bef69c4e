import type { TokenUsage } from '#libs/dialects/index.js';
import { counter, gauge, histogram, type CounterHandle, type HistogramHandle } from '#libs/platform/metrics.js';
import type { ActiveCalls } from './active-calls.js';
import type { ClientGoneEnd, DrainRoom } from './client-gone.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';

/** The metrics of one provider, found once: looking each up by its labels for every call costs more than counting. */
interface ProviderMetrics {
  /** By route, then by status. */
  readonly calls: Map<string, Map<number, CounterHandle>>;
  readonly seconds: HistogramHandle;
  readonly inputTokens: CounterHandle;
  readonly outputTokens: CounterHandle;
  readonly cost: CounterHandle;
}

/** Beyond 1 the bound was none. */
const RATIO_BOUNDS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2];

/** What the data plane counts. Label values come from our own lists and from configuration, never from a caller's text. */
export class ProxyMetrics {
  readonly #calls = counter('smartflow_calls_total', 'Upstream calls by route, provider and status', [
    'route',
    'provider',
    'status',
  ]);
  readonly #refusals = counter('smartflow_refusals_total', 'Requests refused before any upstream call', [
    'route',
    'code',
  ]);
  readonly #tokens = counter('smartflow_tokens_total', 'Tokens reported by providers', ['provider', 'direction']);
  readonly #cost = counter('smartflow_cost_nanodollars_total', 'Cost of upstream calls in nano-dollars', ['provider']);
  readonly #seconds = histogram('smartflow_call_duration_seconds', 'From the request to the end of its answer', [
    'provider',
  ]);

  readonly #ratio = histogram(
    'smartflow_billed_bound_ratio',
    'What a call cost as a share of the most it was said to cost, by model',
    ['provider', 'model'],
    RATIO_BOUNDS,
  );

  readonly #gone = counter('smartflow_client_gone_total', 'Calls whose caller left, by what became of them', ['end']);

  readonly #providers = new Map<string, ProviderMetrics>();

  constructor(active: ActiveCalls, drains: DrainRoom) {
    gauge('smartflow_calls_active', 'Upstream calls under way', () => active.size);
    gauge('smartflow_calls_draining', 'Calls without a caller that are read to their end', () => drains.taken);
  }

  /** An upstream call is over. */
  called(exchange: Exchange, status: number, latencyMs: number, usage: TokenUsage | null, costNanos: number): void {
    const provider = exchange.target?.provider.name ?? '';
    const metrics = this.#providers.get(provider) ?? this.#add(provider);
    this.#callsOf(metrics, provider, exchange.endpoint.route, status).inc();
    metrics.seconds.observe(latencyMs / 1000);
    if (usage === null) return;
    metrics.inputTokens.inc(usage.inputTokens);
    metrics.outputTokens.inc(usage.outputTokens);
    metrics.cost.inc(costNanos);
  }

  /** A bounded call is over and its bill is known; nano-dollars. Free calls say nothing. */
  billed({ provider, model }: Target, costNanos: number, boundNanos: number): void {
    if (boundNanos === 0) return;
    // A copy: a name cut out of a request body would keep that whole body in memory.
    this.#ratio.observe({ provider: provider.name, model: Buffer.from(model).toString() }, costNanos / boundNanos);
  }

  /** A caller left before its call was over. */
  clientGone(end: ClientGoneEnd): void {
    this.#gone.inc({ end });
  }

  /** A request ended before any upstream call. */
  refused(route: string, code: string): void {
    this.#refusals.inc({ route, code });
  }

  #add(provider: string): ProviderMetrics {
    const metrics: ProviderMetrics = {
      calls: new Map(),
      seconds: this.#seconds.with({ provider }),
      inputTokens: this.#tokens.with({ provider, direction: 'input' }),
      outputTokens: this.#tokens.with({ provider, direction: 'output' }),
      cost: this.#cost.with({ provider }),
    };
    this.#providers.set(provider, metrics);
    return metrics;
  }

  #callsOf({ calls }: ProviderMetrics, provider: string, route: string, status: number): CounterHandle {
    let byStatus = calls.get(route);
    if (byStatus === undefined) calls.set(route, (byStatus = new Map()));
    let handle = byStatus.get(status);
    if (handle === undefined) {
      handle = this.#calls.with({ route, provider, status: String(status) });
      byStatus.set(status, handle);
    }
    return handle;
  }
}
