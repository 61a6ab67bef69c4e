/** What a stream may grow to under a hard budget. */
export interface Growth {
  /** Output tokens that money is set aside for. */
  readonly tokens: number;
  /** What as many again cost at most. */
  readonly againNanos: number;
}

/** A provider may send letter by letter: so many pieces of content a token are nothing unusual. */
const PIECES_PER_TOKEN = 4;
/** Pieces without content: the beginning, the end, the usage. */
const SPARE_PIECES = 64;
const EVENT_END = Buffer.from('\n\n');
const EVENT_END_CRLF = Buffer.from('\r\n\r\n');
/** Content in the streams of OpenAI (chat, Responses), Anthropic and Gemini; keep-alives have none of these. */
const CONTENT = ['delta', 'candidates'];

/**
 * Watches a stream whose provider may not honour the maximum it was told: when there are far more pieces of content than
 * tokens that were paid for, as much money again is set aside, in all budgets of the call, or the stream is ended. Ordinary
 * streams never get there, since what they may cost is set aside beforehand.
 */
export class OutgrowthWatch {
  readonly #growth: Growth;
  readonly #extend: (moreNanos: number) => Promise<boolean>;
  readonly #onRefused: () => void;
  #left: number;
  #isAsking = false;

  /** @param onRefused the budgets have no more: the stream must end */
  constructor(growth: Growth, extend: (moreNanos: number) => Promise<boolean>, onRefused: () => void) {
    this.#growth = growth;
    this.#extend = extend;
    this.#onRefused = onRefused;
    this.#left = this.#pieces + SPARE_PIECES;
  }

  /** @param block whole events */
  push(block: Buffer): void {
    this.#left -= contentPieces(block);
    if (this.#left >= 0 || this.#isAsking) return;
    this.#isAsking = true;
    this.#extend(this.#growth.againNanos)
      .catch(() => false)
      .then((isGranted) => {
        this.#isAsking = false;
        if (isGranted) this.#left += this.#pieces;
        else this.#onRefused();
      })
      .catch(() => {}); // `onRefused` reports what it meets
  }

  get #pieces(): number {
    return this.#growth.tokens * PIECES_PER_TOKEN;
  }
}

/** Events of a block that carry content. */
export function contentPieces(block: Buffer): number {
  const end = block.includes(EVENT_END) ? EVENT_END : EVENT_END_CRLF;
  let pieces = 0;
  for (let from = 0; from < block.length;) {
    const found = block.indexOf(end, from);
    const to = found < 0 ? block.length : found + end.length;
    const event = block.subarray(from, to);
    if (CONTENT.some((mark) => event.includes(mark))) pieces += 1;
    from = to;
  }
  return pieces;
}
