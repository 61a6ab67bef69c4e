/** Writes messages of `application/vnd.amazon.eventstream`, apart from the reader under test (own checksum included). */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** CRC-32 of ISO 3309, bit by bit from its definition. */
function checksum(bytes: Uint8Array): Buffer {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)) >>> 0;
  const out = Buffer.alloc(4);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return out;
}

function textHeader(name: string, value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([
    Buffer.from([Buffer.byteLength(name)]),
    Buffer.from(name),
    Buffer.from([7]),
    length,
    Buffer.from(value),
  ]);
}

/** One message. @param rawHeaders bytes of further headers, for types other than text */
export function frame(
  headers: Readonly<Record<string, string>>,
  payload: string | Uint8Array,
  rawHeaders: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.concat([...Object.entries(headers).map(([name, value]) => textHeader(name, value)), rawHeaders]);
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(12 + head.length + body.length + 4, 0);
  prelude.writeUInt32BE(head.length, 4);
  const start = Buffer.concat([prelude, checksum(prelude), head, body]);
  return Buffer.concat([start, checksum(start)]);
}

/** One event of a model, as `InvokeModelWithResponseStream` wraps it: base64 in JSON, with padding `p`. */
export function chunkFrame(json: string): Buffer {
  const payload = JSON.stringify({
    bytes: Buffer.from(json).toString('base64'),
    p: 'abcdefghijklmn'.slice(0, json.length % 14),
  });
  return frame({ ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' }, payload);
}

/** An error after the stream has begun. */
export function exceptionFrame(type: string, message: string): Buffer {
  const headers = { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' };
  return frame(headers, JSON.stringify({ message }));
}

/** The events of an SSE recording of the Anthropic API as frames. */
export function framesOf(events: readonly string[]): Buffer[] {
  return events.map((event) => chunkFrame(/^data: (.*)$/m.exec(event)?.[1] ?? ''));
}
