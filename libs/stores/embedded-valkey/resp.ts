/** A reply of the server in RESP2: status and bulk strings as text, errors as values. */
export type Reply = string | number | null | RespError | readonly Reply[];

/** An error reply such as `ERR unknown command`. */
export class RespError extends Error {}

/** A command as the protocol wants it: an array of bulk strings. */
export function encodeCommand(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}

/** Cuts whole replies out of a stream of bytes that arrives in any pieces. */
export class ReplyReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Adds bytes and returns the replies that are complete now. */
  read(chunk: Buffer): Reply[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const replies: Reply[] = [];
    for (;;) {
      const parsed = parse(this.#rest, 0);
      if (parsed === null) return replies;
      replies.push(parsed.reply);
      this.#rest = this.#rest.subarray(parsed.end);
    }
  }
}

function parse(buffer: Buffer, at: number): { reply: Reply; end: number } | null {
  const lineEnd = buffer.indexOf('\r\n', at);
  if (lineEnd === -1) return null;
  const line = buffer.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(buffer[at] as number)) {
    case '+':
      return { reply: line, end: next };
    case '-':
      return { reply: new RespError(line), end: next };
    case ':':
      return { reply: Number(line), end: next };
    case '$':
      return parseBulk(buffer, next, Number(line));
    case '*':
      return parseArray(buffer, next, Number(line));
    default:
      throw new Error('the engine does not speak RESP2');
  }
}

function parseBulk(buffer: Buffer, at: number, length: number): { reply: Reply; end: number } | null {
  if (length < 0) return { reply: null, end: at };
  if (buffer.length < at + length + 2) return null;
  return { reply: buffer.toString('utf8', at, at + length), end: at + length + 2 };
}

function parseArray(buffer: Buffer, at: number, count: number): { reply: Reply; end: number } | null {
  if (count < 0) return { reply: null, end: at };
  const items: Reply[] = [];
  for (let i = 0; i < count; i++) {
    const item = parse(buffer, at);
    if (item === null) return null;
    items.push(item.reply);
    at = item.end;
  }
  return { reply: items, end: at };
}
