import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FaultShape } from './call.js';
import { deliver } from './deliver.js';
import { DemoFault, textOfStatus } from './fault.js';
import { parseBody, readBody } from './read-body.js';
import { answerCall, faultShapeOf } from './routes.js';

export interface DemoProvider {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly baseUrl: string;
  /** Made at start; every call must carry it as `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`. */
  readonly token: string;
  /** Stops listening and closes every connection, stalled ones too. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 20_000;
/** Longer than the gateway keeps idle connections, so that it is never the one surprised by a close. */
const KEEP_ALIVE_MS = 120_000;

/**
 * Starts the built-in provider that needs no key and no network: a small HTTP server on loopback which speaks the dialects
 * of OpenAI, Anthropic and Gemini. Deterministic; how it answers, and which fault it plays, the model's name says (README).
 */
export async function startDemoProvider(): Promise<DemoProvider> {
  const token = randomBytes(32).toString('hex');
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => void serve(request, response, token),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, token: string): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const shape = faultShapeOf(path, request.headers['anthropic-version'] !== undefined);
  let digest = '0'.repeat(64);
  try {
    if (!isAuthorized(request, token)) throw new DemoFault(401, 'Incorrect API key provided.');
    const method = request.method ?? '';
    const bytes = await readBody(request);
    digest = createHash('sha256').update(path).update('\n').update(bytes).digest('hex');
    const body = method === 'POST' ? parseBody(bytes) : {};
    const reply = answerCall(method, {
      path,
      query: new URLSearchParams(query),
      headers: request.headers,
      body,
      digest,
    });
    const instead = reply.behaviour?.instead ?? null;
    if (typeof instead === 'object' && instead !== null)
      throw new DemoFault(instead.errorStatus, textOfStatus(instead.errorStatus));
    await deliver(reply, response);
  } catch (error) {
    refuse(faultOf(error), shape, digest, response);
  }
}

function isAuthorized(request: IncomingMessage, token: string): boolean {
  const { authorization = '' } = request.headers;
  const given = [
    authorization.replace(/^Bearer /i, ''),
    request.headers['x-api-key'],
    request.headers['x-goog-api-key'],
  ];
  const wanted = Buffer.from(token);
  return given.some((value) => {
    const bytes = Buffer.from(typeof value === 'string' ? value : '');
    return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
  });
}

/** What overflows the stack is nested too deeply by the caller; anything else unexpected is ours. */
function faultOf(error: unknown): DemoFault {
  if (error instanceof DemoFault) return error;
  if (error instanceof RangeError)
    return new DemoFault(400, 'The JSON body of your request is nested too deeply or asks for too much.');
  return new DemoFault(500, 'The demo provider met an unexpected error.');
}

function refuse(fault: DemoFault, shape: FaultShape, digest: string, response: ServerResponse): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { body, headers } = shape(fault, digest);
  const text = JSON.stringify(body);
  response.writeHead(fault.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(fault.status === 429 && { 'retry-after': '1' }),
    // What was not read of the body would be taken for the next request.
    ...((fault.status === 413 || fault.status === 401 || fault.status === 415) && { connection: 'close' }),
    ...headers,
  });
  response.end(text);
}
