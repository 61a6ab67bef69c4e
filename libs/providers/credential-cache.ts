import { createHash } from 'node:crypto';
import type { ProviderConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import type { Credential, FetchToken } from './credential.js';

/** More than any configuration has providers; the oldest is forgotten, and would only fetch a token once more. */
const MAX_KEPT = 256;

/**
 * The credentials of all providers, kept while the configuration changes: a provider whose account has stayed the same keeps
 * its token, so that a reload does not ask every token service at once.
 */
export class CredentialCache {
  readonly #fetchToken: FetchToken;
  readonly #kept = new Map<string, Credential>();

  constructor(fetchToken: FetchToken) {
    this.#fetchToken = fetchToken;
  }

  /** The credential of a provider, made when none is kept for such a provider. */
  of(config: ProviderConfig, make: (fetchToken: FetchToken) => Credential | null): Credential | null {
    const key = accountOf(config);
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const made = make(this.#fetchToken);
    if (made === null) return null;
    const oldest = this.#kept.keys().next();
    if (this.#kept.size >= MAX_KEPT && oldest.done !== true) this.#kept.delete(oldest.value);
    this.#kept.set(key, made);
    return made;
  }
}

/** A digest of all a credential is made from, secrets included. */
function accountOf({ type, baseUrl, apiVersion, cloud }: ProviderConfig): string {
  const text = JSON.stringify([type, baseUrl, apiVersion, cloud], (_name, value: unknown) => revealed(value));
  return createHash('sha256').update(text).digest('base64');
}

/** `JSON.stringify` asks `toJSON` first, so a secret must be looked for in the object that holds it. */
function revealed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Map) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, inner instanceof Secret ? inner.reveal() : (inner as unknown)]),
  );
}
