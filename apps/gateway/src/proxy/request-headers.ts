import type { Target } from '#libs/routing/index.js';
import { betaHeader } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import type { Way } from './way.js';

/**
 * Request headers that end at the gateway: hop-by-hop ones (RFC 9110 §7.6.1), our own, the caller's credentials, what the
 * proxy in front of us said about the caller, and the selectors of an account (the account is the gateway's, not the caller's).
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
  'x-goog-user-project',
]);
const ANTHROPIC_VERSION = '2023-06-01';
/** Headers that only mean something in the dialect of their caller. */
const OF_A_DIALECT = /^(anthropic-|openai-|x-goog-|x-stainless-|user-agent$|accept$)/i;
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

type Headers = Readonly<Record<string, string>>;

const MAX_REMEMBERED_NAMES = 1000;
const MAX_NAME_LENGTH = 64;

/** Which headers of callers go on to a provider, by their name as sent: decided once per name, of which there are few. */
class PassedOn {
  readonly #provided: Headers;
  readonly #known = new Map<string, boolean>();

  constructor(provided: Headers) {
    this.#provided = provided;
  }

  has(name: string): boolean {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const passes = this.#decide(name.toLowerCase());
    // Names come from callers: what does not fit is decided anew each time.
    if (this.#known.size < MAX_REMEMBERED_NAMES && name.length <= MAX_NAME_LENGTH) this.#known.set(name, passes);
    return passes;
  }

  #decide(lower: string): boolean {
    const stopped = STOPPED.has(lower) || STOPPED_PREFIXES.some((prefix) => lower.startsWith(prefix));
    return !stopped && !Object.hasOwn(this.#provided, lower);
  }
}

/** By the headers a provider adds, which are compiled once per configuration. */
const passedOnBeside = new WeakMap<Headers, PassedOn>();

function passedOn(provided: Headers): PassedOn {
  let found = passedOnBeside.get(provided);
  if (found === undefined) passedOnBeside.set(provided, (found = new PassedOn(provided)));
  return found;
}

/** Headers of the upstream call as a flat `[name, value, …]` list: the caller's in their order and spelling, then the provider's. */
export function upstreamHeaders(
  exchange: Exchange,
  target: Target,
  way: Pick<Way, 'dialect' | 'translator'> = { dialect: exchange.endpoint.dialect, translator: null },
): string[] {
  const raw = exchange.request.rawHeaders;
  const listed = connectionListed(exchange.request.headers.connection);
  const provided = target.provider.headersFor(way.dialect.name);
  const passes = passedOn(provided);
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!passes.has(name) || listed?.has(name.toLowerCase()) === true) continue;
    if (way.translator !== null && OF_A_DIALECT.test(name)) continue;
    if (target.longContext && name.toLowerCase() === 'anthropic-beta') continue;
    headers.push(name, raw[i + 1] as string);
  }
  for (const name in provided) headers.push(name, provided[name] as string);
  // Required by Anthropic; callers of other dialects do not send it.
  if (way.translator !== null && way.dialect.name === 'anthropic') headers.push('anthropic-version', ANTHROPIC_VERSION);
  if (target.longContext && way.dialect.name === 'anthropic') {
    const beta = betaHeader(target, exchange.header('anthropic-beta'));
    if (beta !== undefined) headers.push('anthropic-beta', beta);
  }
  // Usage is read at the side of the answer, so the answer must be readable.
  headers.push('accept-encoding', 'identity');
  return headers;
}
