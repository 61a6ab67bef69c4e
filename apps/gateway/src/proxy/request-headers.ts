import type { Target } from '#libs/routing/index.js';
import { betaHeader } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';

/**
 * Request headers that end at the gateway: hop-by-hop ones (RFC 9110 §7.6.1), our own, the caller's credentials, what the
 * proxy in front of us said about the caller, and OpenAI's account selectors (the account is the gateway's, not the caller's).
 * Everything else goes on unchanged.
 */
const STOPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'accept-encoding',
  'authorization',
  'x-api-key',
  'x-goog-api-key',
  'api-key',
  'cookie',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
  'openai-organization',
  'openai-project',
]);
const STOPPED_PREFIXES = ['x-smartflow-', 'x-mcp-'];

/** Names a message lists in its `connection` header: hop-by-hop as well. */
export function connectionListed(connection: string | undefined): ReadonlySet<string> | null {
  if (connection === undefined || /^(keep-alive|close)$/i.test(connection)) return null;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}

/** Headers of the upstream call as a flat `[name, value, …]` list: the caller's in their order and spelling, then the provider's. */
export function upstreamHeaders(exchange: Exchange, target: Target): string[] {
  const raw = exchange.request.rawHeaders;
  const listed = connectionListed(exchange.request.headers.connection);
  const provided = target.provider.headersFor(exchange.endpoint.dialect.name);
  const beta = betaHeader(target, exchange.header('anthropic-beta'));
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (STOPPED.has(lower) || lower in provided || listed?.has(lower) === true) continue;
    if (STOPPED_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue;
    if (lower === 'anthropic-beta' && target.longContext) continue;
    headers.push(name, raw[i + 1] as string);
  }
  for (const name in provided) headers.push(name, provided[name] as string);
  if (target.longContext && beta !== undefined) headers.push('anthropic-beta', beta);
  // Usage is read at the side of the answer, so the answer must be readable.
  headers.push('accept-encoding', 'identity');
  return headers;
}
