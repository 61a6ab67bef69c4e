import type { DataPlane } from './data-plane.js';

/** What a caller got, as far as the archive keeps it. */
export interface CapturedBody {
  readonly body: Buffer;
  readonly truncated: boolean;
}

/**
 * Keeps what goes out to a caller for the archive: of each body the beginning, up to the archive's limit, and of all bodies
 * under way no more than a bound that the calls share. A body that does not fit under that bound is not archived at all.
 * Until the call is over these are views of the chunks, not copies.
 */
export class AnswerCapture {
  readonly #plane: DataPlane;
  #parts: Buffer[] | null = [];
  #kept = 0;
  #seen = 0;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  push(bytes: Buffer): void {
    const room = (this.#plane.bodies?.maxBodyBytes ?? 0) - this.#kept;
    this.#seen += bytes.length;
    if (this.#parts === null || room <= 0) return;
    const part = room < bytes.length ? bytes.subarray(0, room) : bytes;
    if (this.#plane.heldCaptures.take(part.length)) {
      this.#kept += part.length;
      this.#parts.push(part);
    } else {
      this.#letGo();
    }
  }

  /** The body, `null` when it did not fit; gives back what was held. */
  take(): CapturedBody | null {
    if (this.#parts === null) return null;
    const body = Buffer.concat(this.#parts);
    this.#letGo();
    return { body, truncated: body.length < this.#seen };
  }

  #letGo(): void {
    this.#plane.heldCaptures.give(this.#kept);
    this.#kept = 0;
    this.#parts = null;
  }
}
