import type { TokenUsage } from '#libs/dialects/index.js';
import { counter, gauge, histogram } from '#libs/platform/metrics.js';
import type { ActiveCalls } from './active-calls.js';
import type { Exchange } from './exchange.js';

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

  constructor(active: ActiveCalls) {
    gauge('smartflow_calls_active', 'Upstream calls under way', () => active.size);
  }

  /** An upstream call is over. */
  called(exchange: Exchange, status: number, latencyMs: number, usage: TokenUsage | null, costNanos: number): void {
    const provider = exchange.target?.provider.name ?? '';
    this.#calls.inc({ route: exchange.endpoint.route, provider, status: String(status) });
    this.#seconds.observe({ provider }, latencyMs / 1000);
    if (usage === null) return;
    this.#tokens.inc({ provider, direction: 'input' }, usage.inputTokens);
    this.#tokens.inc({ provider, direction: 'output' }, usage.outputTokens);
    this.#cost.inc({ provider }, costNanos);
  }

  /** A request ended before any upstream call. */
  refused(route: string, code: string): void {
    this.#refusals.inc({ route, code });
  }
}
