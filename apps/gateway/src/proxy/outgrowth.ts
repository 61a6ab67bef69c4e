import type { Operation } from '#libs/dialects/index.js';
import { ContentBytes } from './content-bytes.js';

/** What a stream may grow to under a hard budget. */
export interface Growth {
  readonly operation: Operation;
  /** Output tokens that money is set aside for, of all answers together. */
  readonly tokens: number;
  /** What as many again cost at most. */
  readonly againNanos: number;
}

/**
 * A token is one byte at least, three or more in ordinary text: beyond this the tokens that were paid for may soon be used
 * up, and more money is set aside while there is still some left.
 */
const ASKS_FROM_BYTES = 3;
/** No ordinary text has so many bytes a token on average (scripts of three bytes a letter come close): more was sent. */
const MOST_BYTES = 8;
/** Spaces and repeated letters make long tokens: of a very short answer nothing is concluded. */
const SPARE_BYTES = 256;

/**
 * Watches a stream whose provider may not honour the maximum it was told, by the bytes of its content. Before the tokens
 * that were paid for are used up, as much money again is set aside, in all budgets of the call. Where the budgets have no
 * more, an answer that keeps to its maximum goes on to its end, and one that is longer than its tokens can be is ended.
 * Most streams never get there: they end long before their maximum.
 */
export class OutgrowthWatch {
  readonly #growth: Growth;
  readonly #extend: (moreNanos: number) => Promise<boolean>;
  readonly #onRefused: () => void;
  readonly #content: ContentBytes;
  #paidTokens: number;
  #isAsking = false;
  #isRefused = false;

  /** @param onRefused the budgets have no more: the stream must end */
  constructor(growth: Growth, extend: (moreNanos: number) => Promise<boolean>, onRefused: () => void) {
    this.#growth = growth;
    this.#extend = extend;
    this.#onRefused = onRefused;
    this.#content = new ContentBytes(growth.operation);
    this.#paidTokens = growth.tokens;
  }

  /** @param block whole events, or bytes of a JSON array as they come */
  push(block: Buffer): void {
    this.#content.push(block);
    this.#check();
  }

  #check(): void {
    if (this.#isAsking || this.#content.bytes <= this.#paidTokens * ASKS_FROM_BYTES + SPARE_BYTES) return;
    if (this.#isRefused) {
      if (this.#content.bytes > this.#paidTokens * MOST_BYTES + SPARE_BYTES) this.#onRefused();
      return;
    }
    this.#isAsking = true;
    this.#extend(this.#growth.againNanos)
      .catch(() => false)
      .then((isGranted) => {
        this.#isAsking = false;
        if (isGranted) this.#paidTokens += this.#growth.tokens;
        else this.#isRefused = true;
        // More may have come meanwhile. Without tokens to set aside nothing would be gained by asking again.
        if (!isGranted || this.#growth.tokens > 0) this.#check();
      })
      .catch(() => {}); // `onRefused` reports what it meets
  }
}
