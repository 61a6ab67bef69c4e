import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { EgressPolicy } from './policy.js';
import { EgressRefused } from './refused.js';

/** All addresses of a name, as `dns.lookup(name, { all: true })` gives them. */
export type LookupAll = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface GuardedConnectorOptions {
  /** Bound of name lookup, TCP and TLS handshake together. */
  readonly connectTimeoutMs: number;
  /** Offer HTTP/2 by ALPN; default false, since the data plane counts on one call per connection. */
  readonly allowH2?: boolean;
  /** Replaces the system's resolver; for tests. */
  readonly lookup?: LookupAll;
}

/**
 * A connector for undici (`new Pool(origin, { connect: guardedConnector(…) })`) that connects only to addresses the
 * policy allows. Names are looked up here and the socket goes to the addresses that were checked, so an answer that
 * changes between check and connect changes nothing. One refused address refuses the whole answer: a mixed answer is
 * how rebinding looks. Plain http needs an address that is listed, public ones are reached by https only.
 *
 * Errors: `EgressRefused`, else what undici's own connector reports (`UND_ERR_CONNECT_TIMEOUT`, `ENOTFOUND`, …).
 * @param policy read at each connect, so a reloaded list counts at once; connections already open stay with their pool.
 */
export function guardedConnector(
  policy: () => EgressPolicy,
  options: GuardedConnectorOptions,
): buildConnector.connector {
  const resolve = options.lookup ?? systemLookup;
  const connectorFor = (protocol: string): buildConnector.connector =>
    buildConnector({
      timeout: options.connectTimeoutMs,
      allowH2: options.allowH2 ?? false,
      lookup: guardedLookup(policy, resolve, protocol),
    } as buildConnector.BuildOptions);
  const https = connectorFor('https:');
  const http = connectorFor('http:');

  return (target, callback) => {
    const hostname = unbracketed(target.hostname);
    if (isIP(hostname) !== 0) {
      // The system looks no literal up, so the check in the lookup would never run.
      const refusal = judge(policy(), hostname, [hostname], target.protocol);
      if (refusal !== null) {
        process.nextTick(callback, refusal, null);
        return;
      }
    }
    (target.protocol === 'https:' ? https : http)({ ...target, hostname }, callback);
  };
}

function guardedLookup(policy: () => EgressPolicy, resolve: LookupAll, protocol: string): LookupFunction {
  return (hostname, options, callback) => {
    addressesOf(policy(), resolve, hostname)
      .then((found) => {
        const refusal = judge(
          policy(),
          hostname,
          found.map((entry) => entry.address),
          protocol,
        );
        if (refusal !== null) throw refusal;
        const wanted = found.filter((entry) => !isFamily(options.family) || entry.family === options.family);
        const first = wanted[0];
        if (first === undefined) throw notFound(hostname);
        if (options.all === true) callback(null, [...wanted]);
        else callback(null, first.address, first.family);
      })
      .catch((error: unknown) => callback(error as NodeJS.ErrnoException, '', 0));
  };
}

/**
 * `localhost` means loopback by definition (RFC 6761 §6.3) and is not asked of any resolver: it stands for those of its
 * two addresses that are allowed, otherwise `127.0.0.0/8` in the list would be refused for the sake of `::1`.
 */
async function addressesOf(policy: EgressPolicy, resolve: LookupAll, hostname: string): ReturnType<LookupAll> {
  if (!/^(.+\.)?localhost\.?$/i.test(hostname)) return resolve(hostname);
  const loopback = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  const allowed = loopback.filter((entry) => policy.isAllowed(entry.address));
  return allowed.length > 0 ? allowed : loopback;
}

/** The first objection against any of the addresses, or `null`. */
function judge(
  policy: EgressPolicy,
  hostname: string,
  addresses: readonly string[],
  protocol: string,
): EgressRefused | null {
  for (const address of addresses) {
    const verdict = policy.verdict(address);
    if (!verdict.allowed) return new EgressRefused(hostname, address, verdict.reason);
    if (protocol !== 'https:' && !verdict.listed) {
      return new EgressRefused(hostname, address, 'plain http to an address that is not listed');
    }
  }
  return null;
}

async function systemLookup(hostname: string): ReturnType<LookupAll> {
  return dnsLookup(hostname, { all: true });
}

function isFamily(family: number | string | undefined): boolean {
  return family === 4 || family === 6;
}

function unbracketed(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND', hostname });
}
