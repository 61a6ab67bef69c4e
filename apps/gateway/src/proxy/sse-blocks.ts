const LF = 0x0a;
const CR = 0x0d;

/** An event that is longer than this is passed on in pieces. */
export const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Cuts a byte stream of server-sent events behind whole events, so that what has been sent can always be followed by an
 * error event (LLM-8). A chunk that ends with an event, as nearly all do, comes back as it is, uncopied; an unfinished
 * event is held until its rest arrives.
 */
export class SseBlocks {
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** The whole events that are complete with this chunk, `null` when there are none yet. */
  push(chunk: Buffer): Buffer | null {
    const end = this.#endOfLastEvent(chunk);
    if (end === chunk.length && this.#heldBytes === 0) return chunk;
    if (end === 0 && this.#heldBytes + chunk.length <= MAX_HELD_BYTES) {
      this.#hold(chunk);
      return null;
    }
    const cut = end === 0 ? chunk.length : end;
    const block =
      this.#heldBytes === 0 ? chunk.subarray(0, cut) : Buffer.concat([...this.#held, chunk.subarray(0, cut)]);
    this.#held = [];
    this.#heldBytes = 0;
    if (cut < chunk.length) this.#hold(chunk.subarray(cut));
    return block;
  }

  /** What is held: the beginning of an event whose end never came. */
  rest(): Buffer | null {
    return this.#heldBytes === 0 ? null : Buffer.concat(this.#held);
  }

  #hold(part: Buffer): void {
    this.#held.push(part);
    this.#heldBytes += part.length;
  }

  /** Offset after the last blank line that ends in this chunk, 0 when there is none. Lines end with LF or CRLF. */
  #endOfLastEvent(chunk: Buffer): number {
    for (let lf = chunk.lastIndexOf(LF); lf >= 0; lf = lf === 0 ? -1 : chunk.lastIndexOf(LF, lf - 1)) {
      const before = this.#byte(chunk, lf - 1);
      if (before === LF || (before === CR && this.#byte(chunk, lf - 2) === LF)) return lf + 1;
    }
    return 0;
  }

  /** A byte of the chunk, or, before its beginning, of what is held. */
  #byte(chunk: Buffer, at: number): number | undefined {
    if (at >= 0) return chunk[at];
    let back = -at;
    for (let i = this.#held.length - 1; i >= 0; i--) {
      const part = this.#held[i] as Buffer;
      if (back <= part.length) return part[part.length - back];
      back -= part.length;
    }
    return undefined;
  }
}
