import type { Secret } from '#libs/platform/secret.js';

/** Where the stores are. Every URL carries a password, hence `Secret`. */
export interface StoreUrls {
  /** Role used at run time by the gateway: no superuser, no BYPASSRLS, cannot create tables. */
  readonly postgres: Secret;
  /** Role that owns the schema: migrations, partitions. With an external server the same as `postgres`. */
  readonly postgresOwner: Secret;
  readonly redis: Secret;
  /** `null`: bodies are archived in PostgreSQL. */
  readonly mongodb: Secret | null;
}

/** `host:port` of a store URL, without user and password, for messages. */
export function addressOf(url: Secret): string {
  try {
    const { hostname, port, protocol } = new URL(url.reveal());
    return `${hostname || 'localhost'}:${port || (DEFAULT_PORTS[protocol] ?? '?')}`;
  } catch {
    return 'an unreadable address';
  }
}

/** A driver's message with the URL's password, in whatever form it stands there, taken out. */
export function withoutPassword(message: string, url: Secret): string {
  const text = url.reveal();
  const encoded = /^[a-z+]+:\/\/[^/?#]*?:([^/?#]*)@/i.exec(text)?.[1] ?? '';
  let decoded = encoded;
  try {
    decoded = decodeURIComponent(encoded);
  } catch {
    // not percent-encoded after all
  }
  return [text, encoded, decoded]
    .filter((secret) => secret.length > 0)
    .reduce((clean, secret) => clean.replaceAll(secret, '[secret]'), message);
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  'postgres:': '5432',
  'postgresql:': '5432',
  'redis:': '6379',
  'rediss:': '6379',
  'mongodb:': '27017',
  'mongodb+srv:': '27017',
};
