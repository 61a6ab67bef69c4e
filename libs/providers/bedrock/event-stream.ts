import { crc32 } from 'node:zlib';

/** One message of an `application/vnd.amazon.eventstream`. Only text headers are kept; the others say nothing we use. */
export interface EventMessage {
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: Buffer;
}

/** The bytes are no event stream: a checksum or a length is wrong. */
export class EventStreamFault extends Error {
  constructor(what: string) {
    super(`malformed event stream: ${what}`);
    this.name = 'EventStreamFault';
  }
}

const PRELUDE_BYTES = 12;
const CRC_BYTES = 4;
/** Limits of the encoding (Smithy, "Amazon Event Stream specification"). */
const MAX_HEADERS_BYTES = 128 * 1024;
const MAX_MESSAGE_BYTES = PRELUDE_BYTES + MAX_HEADERS_BYTES + 16 * 1024 * 1024 + CRC_BYTES;

/** Size in bytes of header values by their type; text and bytes have their length in front. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };
const BYTES_TYPE = 6;
const TEXT_TYPE = 7;

/**
 * Reads messages from chunks cut anywhere:
 * `[total length u32][headers length u32][crc of these u32][headers][payload][crc of all before u32]`, big endian.
 * Holds at most one unfinished message, whose claimed length is checked (and protected by a checksum) before it is waited for.
 */
export class EventStreamReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  #wanted = PRELUDE_BYTES;
  #knowsLength = false;

  /** Calls `take` for each message the chunk completes. @throws EventStreamFault; nothing can be read afterwards */
  push(chunk: Buffer, take: (message: EventMessage) => void): void {
    if (chunk.length > 0) this.#parts.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const held = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
      this.#parts = [held];
      if (this.#knowsLength) {
        const frame = held.subarray(0, this.#wanted);
        this.#bytes -= this.#wanted;
        this.#parts = this.#bytes === 0 ? [] : [held.subarray(this.#wanted)];
        this.#wanted = PRELUDE_BYTES;
        this.#knowsLength = false;
        take(readMessage(frame));
      } else {
        this.#wanted = lengthOf(held);
        this.#knowsLength = true;
      }
    }
  }

  /** Bytes of a message whose end has not come. */
  get pendingBytes(): number {
    return this.#bytes;
  }
}

/** Total length of the message that begins here, from its checked prelude. */
function lengthOf(bytes: Buffer): number {
  const total = bytes.readUInt32BE(0);
  const headers = bytes.readUInt32BE(4);
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32BE(8)) throw new EventStreamFault('checksum of a prelude');
  if (headers > MAX_HEADERS_BYTES || total > MAX_MESSAGE_BYTES) throw new EventStreamFault('a message is too long');
  if (total < PRELUDE_BYTES + headers + CRC_BYTES) throw new EventStreamFault('lengths that contradict each other');
  return total;
}

function readMessage(frame: Buffer): EventMessage {
  const end = frame.length - CRC_BYTES;
  if (crc32(frame.subarray(0, end)) !== frame.readUInt32BE(end)) throw new EventStreamFault('checksum of a message');
  const payloadAt = PRELUDE_BYTES + frame.readUInt32BE(4);
  return { headers: readHeaders(frame.subarray(PRELUDE_BYTES, payloadAt)), payload: frame.subarray(payloadAt, end) };
}

/** `[name length u8][name][type u8][value]`, one after the other. */
function readHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  try {
    while (at < bytes.length) {
      const nameEnd = at + 1 + bytes.readUInt8(at);
      const name = bytes.toString('utf8', at + 1, nameEnd);
      const type = bytes.readUInt8(nameEnd);
      const hasLength = type === TEXT_TYPE || type === BYTES_TYPE;
      const valueAt = nameEnd + (hasLength ? 3 : 1);
      const size = hasLength ? bytes.readUInt16BE(nameEnd + 1) : VALUE_BYTES[type];
      if (size === undefined || valueAt + size > bytes.length) throw new EventStreamFault('a header');
      if (type === TEXT_TYPE) headers.set(name, bytes.toString('utf8', valueAt, valueAt + size));
      at = valueAt + size;
    }
  } catch (error) {
    throw error instanceof EventStreamFault ? error : new EventStreamFault('a header that is cut');
  }
  return headers;
}
