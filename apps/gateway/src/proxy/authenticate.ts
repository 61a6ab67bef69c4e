import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { decode, type Exchange } from './exchange.js';

const KEY_HEADERS: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'x-goog-api-key', 'api-key']);
const SHORTEST_KEY_HEADER = 'api-key'.length;
const LONGEST_KEY_HEADER = 'x-goog-api-key'.length;

/**
 * Stage 1: who is calling. A key may come in any of the places the official clients use; two different ones are refused
 * rather than guessed between. No I/O: the key's digest is looked up in the snapshot.
 * @throws AppError of kind `auth`
 */
export function authenticate(exchange: Exchange): KeyRecord {
  const presented = presentedKey(exchange);
  if (presented === '') throw new AppError('key_missing');
  const key = exchange.snapshot.keys.find(presented);
  if (key === null) throw new AppError('key_invalid');
  if (key.status === 'revoked') throw new AppError('key_revoked');
  if (key.status === 'blocked') throw new AppError('key_revoked', { text: 'The API key is blocked.' });
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) throw new AppError('key_expired');
  exchange.key = key;
  return key;
}

function presentedKey(exchange: Exchange): string {
  let found = '';
  // The raw list, since of a header that stands twice Node shows only the first.
  const raw = exchange.request.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    const written = raw[i] as string;
    if (written.length < SHORTEST_KEY_HEADER || written.length > LONGEST_KEY_HEADER) continue;
    const name = written.toLowerCase();
    if (!KEY_HEADERS.has(name)) continue;
    const value = raw[i + 1] as string;
    found = same(found, name === 'authorization' ? bearer(value) : value.trim());
  }
  return exchange.query === '' ? found : same(found, takeKeyFromQuery(exchange));
}

/** The one key two places hold; either may be empty. @throws AppError `key_conflict` */
function same(found: string, value: string): string {
  if (found !== '' && value !== '' && value !== found) throw new AppError('key_conflict');
  return value === '' ? found : value;
}

function bearer(authorization: string): string {
  if (!/^bearer( |$)/i.test(authorization)) {
    throw new AppError('key_invalid', { text: 'Send the API key as "Authorization: Bearer <key>".' });
  }
  return authorization.slice('bearer '.length).trim();
}

/** Gemini clients may send `?key=`. It is taken out at once: a key must reach neither the upstream nor a log. */
function takeKeyFromQuery(exchange: Exchange): string {
  const parts = exchange.query.split('&');
  const isKey = (part: string): boolean => decode(part.split('=', 1)[0] as string) === 'key';
  const values = parts.filter(isKey);
  if (values.length === 0) return '';
  if (values.length > 1) throw new AppError('key_conflict');
  exchange.query = parts.filter((part) => !isKey(part)).join('&');
  return decode((values[0] as string).slice((values[0] as string).indexOf('=') + 1));
}
