import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { decode, type Exchange } from './exchange.js';

const HEADERS = ['x-api-key', 'x-goog-api-key', 'api-key'] as const;

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
  const add = (value: string): void => {
    if (found !== '' && value !== '' && value !== found) throw new AppError('key_conflict');
    if (value !== '') found = value;
  };
  const authorization = exchange.request.headers.authorization;
  if (authorization !== undefined) {
    if (!/^bearer /i.test(authorization))
      throw new AppError('key_invalid', { text: 'Send the API key as "Authorization: Bearer <key>".' });
    add(authorization.slice(7).trim());
  }
  for (const name of HEADERS) add(exchange.header(name) ?? '');
  add(takeKeyFromQuery(exchange));
  return found;
}

/** Gemini clients may send `?key=`. It is taken out at once: a key must reach neither the upstream nor a log. */
function takeKeyFromQuery(exchange: Exchange): string {
  if (!/(^|&)key=/.test(exchange.query)) return '';
  const parts = exchange.query.split('&');
  const values = parts.filter((part) => part.startsWith('key='));
  if (values.length > 1) throw new AppError('key_conflict');
  exchange.query = parts.filter((part) => !part.startsWith('key=')).join('&');
  return decode((values[0] ?? '').slice(4));
}
