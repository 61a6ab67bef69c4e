import type { Logger } from '#libs/platform/logger.js';
import { counter } from '#libs/platform/metrics.js';
import type { CallPrice } from '#libs/pricing/index.js';
import type { Target } from '#libs/routing/index.js';

/** Names come from callers: beyond this many the log stays silent, the metric counts on. */
const MAX_NAMED = 1000;

/** Calls whose cost is not known, or only estimated: counted, and each model told of once (KEY-5). */
export class UnpricedCalls {
  readonly #unpriced = counter('smartflow_unpriced_calls_total', 'Calls with usage whose model has no known price', [
    'provider',
  ]);
  readonly #estimated = counter(
    'smartflow_estimated_costs_total',
    'Calls whose cost is an estimate, by provider and reason',
    ['provider', 'reason'],
  );
  readonly #named = new Set<string>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  note({ provider, model }: Target, price: CallPrice): void {
    if (price.priceVersion !== null) {
      for (const reason of price.estimates) this.#estimated.inc({ provider: provider.name, reason });
      return;
    }
    this.#unpriced.inc({ provider: provider.name });
    const name = `${provider.name}/${model}`;
    if (this.#named.has(name) || this.#named.size >= MAX_NAMED) return;
    // A copy: a name cut out of a request body would keep that whole body in memory.
    this.#named.add(Buffer.from(name).toString());
    this.#log.warn(
      { provider: provider.name, model },
      'a model without a known price was used: its calls are booked at 0; set a price with "prices" or POST /api/prices',
    );
  }
}
