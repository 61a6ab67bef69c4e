import type { IncomingMessage } from 'node:http';
import { DemoFault } from './fault.js';
import { type Fields, isFields } from './fields.js';

export const MAX_BODY_BYTES = 32 << 20;

/** Reads a request's body, at most `MAX_BODY_BYTES`. @throws DemoFault 413 when it is longer, 415 when it is compressed */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new DemoFault(415, 'Compressed request bodies are not supported.');
  const chunks: Buffer[] = [];
  let length = 0;
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES)
    throw new DemoFault(413, 'Request exceeds the maximum size.');
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new DemoFault(413, 'Request exceeds the maximum size.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as a JSON object; an empty one when there is none to read (GET). @throws DemoFault 400 */
export function parseBody(bytes: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new DemoFault(400, 'We could not parse the JSON body of your request.');
  }
  if (!isFields(value)) throw new DemoFault(400, 'The JSON body of your request must be an object.');
  return value;
}
