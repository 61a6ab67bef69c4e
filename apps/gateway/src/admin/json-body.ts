import type { FastifyRequest } from 'fastify';
import { AppError } from '#libs/platform/errors.js';

/** Largest body of an admin request. */
export const ADMIN_BODY_LIMIT_BYTES = 256 * 1024;
const MAX_DEPTH = 64;
const MAX_KEYS = 20_000;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Turns the raw body of an `/api` request into a JSON object. The server keeps bodies as Buffers, because the data plane
 * passes them on unread. An empty body becomes `undefined`.
 * @throws AppError `invalid_json`, `json_too_deep`, `invalid_request` or `unsupported_encoding`
 */
export function readJsonBody(request: FastifyRequest): Record<string, unknown> | undefined {
  const raw = request.body;
  if (!Buffer.isBuffer(raw) || raw.length === 0) return undefined;
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new AppError('unsupported_encoding');
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[a-z.-]+\+json$/.test(type)) {
    throw new AppError('unsupported_encoding', {
      text: 'The body must be JSON: send "content-type: application/json".',
    });
  }
  return parseJsonObject(raw);
}

/** The object that a JSON text holds: bounded in depth and size, without keys that reach prototypes. */
export function parseJsonObject(raw: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = utf8.decode(raw);
  } catch {
    throw new AppError('invalid_json', { text: 'The request body is not valid UTF-8.' });
  }
  if (deeperThan(text, MAX_DEPTH)) throw new AppError('json_too_deep');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid_json'); // V8's message quotes the body
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', { text: 'The request body must be a JSON object.' });
  }
  checkKeys(value, '', { left: MAX_KEYS });
  return value as Record<string, unknown>;
}

/** Looks at brackets outside strings, so that depth is known before anything recursive sees the text. */
function deeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 92) i++;
      else if (char === 34) inString = false;
    } else if (char === 34) inString = true;
    else if (char === 123 || char === 91) {
      if (++depth > limit) return true;
    } else if (char === 125 || char === 93) depth--;
  }
  return false;
}

function checkKeys(value: object, path: string, budget: { left: number }): void {
  for (const [name, inner] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    if (--budget.left < 0)
      throw new AppError('invalid_request', { text: `The request body has more than ${MAX_KEYS} values.` });
    checkName(name, at);
    if (typeof inner === 'object' && inner !== null) checkKeys(inner, at, budget);
  }
}

/**
 * Names that objects have by themselves are refused everywhere: `__proto__` and `constructor` lead to prototypes, and what
 * turns bodies into DTOs silently drops the others.
 */
function checkName(name: string, path: string): void {
  if (!(name in Object.prototype) && name !== 'prototype') return;
  throw new AppError('invalid_request', { text: `The name "${name}" is not allowed.`, param: path.slice(0, 200) });
}

/** The same for the parameters of a query. @throws AppError `invalid_request` */
export function checkQueryNames(query: unknown): void {
  for (const name of Object.keys((query ?? {}) as object)) checkName(name, name);
}
