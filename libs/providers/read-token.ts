import type { TokenAnswer } from './credential.js';
import type { Expiring } from './expiring.js';

/** A service that states no lifetime is taken to mean this. */
const DEFAULT_LIFETIME_S = 300;
const MAX_LIFETIME_S = 86_400;

/**
 * The access token of an OAuth 2.0 answer (RFC 6749 §5.1).
 * @throws Error that names the service's error code (§5.2) and never quotes anything else it said
 */
export function readToken(answer: TokenAnswer, nowMs: number): Expiring<string> {
  const fields = objectOf(answer.body);
  if (answer.status !== 200)
    throw new Error(`the token service answered ${answer.status}${errorCode(fields['error'])}`);
  const token = fields['access_token'];
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('the token service answered 200 without a usable access_token');
  }
  const given = Number(fields['expires_in'] ?? DEFAULT_LIFETIME_S);
  const lifetimeS = Number.isFinite(given) && given > 0 ? Math.min(given, MAX_LIFETIME_S) : DEFAULT_LIFETIME_S;
  return { value: token, expiresAtMs: nowMs + lifetimeS * 1000 };
}

function errorCode(code: unknown): string {
  return typeof code === 'string' && /^[a-z0-9_.]{1,64}$/i.test(code) ? ` (${code})` : '';
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
