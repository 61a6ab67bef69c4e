import { InputMeter } from './ask.js';
import { isFields } from './fields.js';

/** Shorter prefixes are not cached, as with the real service. */
const MIN_CACHED_TOKENS = 1024;

/**
 * Meters a call's input and the prefixes marked with `cache_control`. The demo provider remembers nothing, so every marked
 * prefix is reported as written and none as read: equal calls keep getting equal answers.
 */
export class CacheMeter extends InputMeter {
  #last5m = 0;
  #last1h = 0;

  /** Notes a cache mark after what was metered so far. */
  mark(cacheControl: unknown): void {
    if (!isFields(cacheControl)) return;
    if (cacheControl['ttl'] === '1h') this.#last1h = this.tokens;
    else this.#last5m = this.tokens;
  }

  /** Usage in Anthropic's terms: `input_tokens` leaves out what was written to the cache. */
  usage(): object {
    const marked = Math.max(this.#last5m, this.#last1h);
    const isCached = marked >= MIN_CACHED_TOKENS;
    // Prefixes up to the last 1-hour mark live an hour, what follows up to the last 5-minute mark lives five minutes.
    const written1h = isCached ? this.#last1h : 0;
    const written5m = isCached ? Math.max(0, this.#last5m - this.#last1h) : 0;
    return {
      input_tokens: this.tokens - written1h - written5m,
      cache_creation_input_tokens: written1h + written5m,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
    };
  }
}
