import type { StreamEnds } from '#libs/dialects/index.js';

/** Usage and the proper end of a stream stand in its last bytes; Anthropic's input usage in the first. */
const TAIL_BYTES = 8 * 1024;
const HEAD_BYTES = 16 * 1024;
/** Marked blocks are few; beyond this, later ones are not kept. */
const MARKED_BYTES = 64 * 1024;
const USAGE = Buffer.from('"usage"');
const NOTHING = Buffer.alloc(0);

/**
 * Remembers the first bytes of a stream (when asked to), at least its last 8 KiB, without copying, and copies of the blocks
 * in between that carry `mark`: what a provider bills may be reported long before the end.
 */
export class EndsOfStream {
  #head: Buffer = NOTHING;
  #wantsHead: boolean;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  readonly #mark: string | null;
  #marked: Buffer[] = [];
  #markedBytes = 0;

  constructor(wantsHead: boolean, mark: string | null = null) {
    this.#wantsHead = wantsHead;
    this.#mark = mark;
  }

  push(block: Buffer): void {
    if (this.#wantsHead) {
      // A copy: a view would keep the whole chunk alive for as long as the stream lasts.
      this.#head = Buffer.concat([this.#head, block.subarray(0, HEAD_BYTES - this.#head.length)]);
      // Comments and pings may come before the event that has the usage.
      this.#wantsHead = this.#head.length < HEAD_BYTES && !this.#head.includes(USAGE);
    }
    if (this.#mark !== null && this.#markedBytes + block.length <= MARKED_BYTES && block.includes(this.#mark)) {
      this.#marked.push(Buffer.from(block));
      this.#markedBytes += block.length;
    }
    this.#tail.push(block);
    this.#tailBytes += block.length;
    while (this.#tail.length > 1 && this.#tailBytes - (this.#tail[0] as Buffer).length >= TAIL_BYTES) {
      this.#tailBytes -= (this.#tail.shift() as Buffer).length;
    }
  }

  ends(): StreamEnds {
    const tail = this.#tail.length === 1 ? (this.#tail[0] as Buffer) : Buffer.concat(this.#tail);
    return this.#marked.length === 0
      ? { head: this.#head, tail }
      : { head: this.#head, tail, marked: Buffer.concat(this.#marked) };
  }
}
