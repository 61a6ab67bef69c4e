import { gzipSync } from 'node:zlib';

/** Bytes for one HTTP chunk, or a pause. */
export type Piece = string | Uint8Array | { readonly waitMs: number };

/** A body: a list, or a maker of one where it is too long to keep in memory. Each bytes piece leaves as one HTTP chunk. */
export type Pieces = readonly Piece[] | (() => Iterable<Piece>);

export interface Answer {
  readonly kind: 'answer';
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Pause before the status line. */
  readonly beforeMs?: number;
  readonly body?: Pieces;
  /** `chunked` (default), or the content-length to claim, true or not. */
  readonly framing?: 'chunked' | number;
  /**
   * How it ends after the last piece. `clean` (default): complete message. `cut`: the socket closes without the end of the
   * message. `reset`: TCP reset, which overtakes bytes the client has not read: put a
   * pause before it. `hang`: nothing more, for ever.
   */
  readonly end?: 'clean' | 'cut' | 'reset' | 'hang';
  /** Bytes sent on the connection after the complete message. */
  readonly trailing?: string;
  /** Answer at once, without reading the request's body. */
  readonly early?: boolean;
}

export type Behaviour =
  | Answer
  /** Exactly these bytes on the socket, status line included; then it closes, or stays open. */
  | { readonly kind: 'raw'; readonly bytes: readonly Piece[]; readonly end?: 'close' | 'reset' | 'hang' }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** TCP reset in place of an answer. */
  | { readonly kind: 'reset' }
  /** Closes the connection in place of an answer. */
  | { readonly kind: 'close' };

type More = Omit<Answer, 'kind' | 'body'>;

/** A complete JSON answer with its true content-length. */
export function json(value: unknown, more: More = {}): Answer {
  const text = JSON.stringify(value);
  return bytes([text], {
    framing: Buffer.byteLength(text),
    ...more,
    headers: { 'content-type': 'application/json', ...more.headers },
  });
}

/** Exactly these pieces, chunk for chunk. */
export function bytes(body: Pieces, more: More = {}): Answer {
  return { kind: 'answer', body, ...more };
}

/** An event stream; each frame is one chunk, `gapMs` apart. */
export function sse(frames: readonly (string | Uint8Array)[], more: More & { readonly gapMs?: number } = {}): Answer {
  const { gapMs = 0, ...rest } = more;
  const body =
    gapMs === 0 ? frames : frames.flatMap((frame, i): Piece[] => (i === 0 ? [frame] : [{ waitMs: gapMs }, frame]));
  return bytes(body, {
    ...rest,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...rest.headers },
  });
}

/** A web page where an API answer was expected, as proxies and load balancers send. */
export function html(status = 502): Answer {
  const page = `<!DOCTYPE html>\n<html><head><title>${status} Bad Gateway</title></head><body><h1>${status}</h1><hr>nginx</body></html>\n`;
  return bytes([page], { status, framing: page.length, headers: { 'content-type': 'text/html' } });
}

export function redirect(location: string, status = 307): Answer {
  return bytes([], { status, framing: 0, headers: { location } });
}

/** The same answer, compressed whether the client asked for it or not. */
export function gzipped(answer: Answer): Answer {
  const packed = gzipSync(Buffer.concat([...piecesOf(answer.body)].map((piece) => bytesOf(piece) ?? Buffer.alloc(0))));
  return {
    ...answer,
    body: [packed],
    framing: packed.length,
    headers: { ...answer.headers, 'content-encoding': 'gzip' },
  };
}

/** One text, `size` bytes at a time, `everyMs` apart. */
export function drip(text: string, options: { readonly size?: number; readonly everyMs: number } & More): Answer {
  const { size = 1, everyMs, ...more } = options;
  const body = everyBytes(Buffer.from(text), size).flatMap((part): Piece[] => [part, { waitMs: everyMs }]);
  return bytes(body, more);
}

/** `totalBytes` of filler in blocks of 64 KiB, made while it is sent. */
export function filler(totalBytes: number, more: More = {}): Answer {
  const block = Buffer.alloc(65_536, 'x');
  function* make(): Generator<Buffer> {
    for (let left = totalBytes; left > 0; left -= block.length)
      yield left >= block.length ? block : block.subarray(0, left);
  }
  return bytes(make, { headers: { 'content-type': 'application/octet-stream' }, ...more });
}

export const hang: Behaviour = { kind: 'hang' };
export const reset: Behaviour = { kind: 'reset' };
export const close: Behaviour = { kind: 'close' };

/** Cuts bytes at the given offsets, e.g. inside a UTF-8 sequence or in the middle of an SSE line. */
export function cutAt(data: string | Uint8Array, ...offsets: readonly number[]): Buffer[] {
  const buffer = Buffer.from(data);
  const edges = [0, ...offsets, buffer.length];
  return edges.slice(1).map((end, i) => buffer.subarray(edges[i], end));
}

/** Cuts bytes into parts of `size`. */
export function everyBytes(data: string | Uint8Array, size = 1): Buffer[] {
  const buffer = Buffer.from(data);
  const parts: Buffer[] = [];
  for (let at = 0; at < buffer.length; at += size) parts.push(buffer.subarray(at, at + size));
  return parts;
}

export function piecesOf(pieces: Pieces | undefined): Iterable<Piece> {
  return typeof pieces === 'function' ? pieces() : (pieces ?? []);
}

/** The bytes of a piece; `null` for a pause. */
export function bytesOf(piece: Piece): Uint8Array | null {
  if (typeof piece === 'string') return Buffer.from(piece);
  return piece instanceof Uint8Array ? piece : null;
}
