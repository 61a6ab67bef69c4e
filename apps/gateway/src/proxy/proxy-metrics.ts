import type { TokenUsage } from '#libs/dialects/index.js';
import { counter, gauge, histogram, type CounterHandle, type HistogramHandle } from '#libs/platform/metrics.js';
import type { ActiveCalls } from './active-calls.js';
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

  readonly #providers = new Map<string, ProviderMetrics>();

  constructor(active: ActiveCalls) {
    gauge('smartflow_calls_active', 'Upstream calls under way', () => active.size);
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
