import { AppError } from '#libs/platform/errors.js';
import { idTimeMs } from '#libs/platform/ids.js';

/** Where a page ended: the last row's id and the time inside it. */
export interface Keyset {
  readonly id: string;
  readonly timeMs: number;
}

const VERSION = '1.';

/** The opaque cursor after a row: lists are sorted by (time, id), and the time stands in the id. */
export function encodeCursor(id: string): string {
  return Buffer.from(VERSION + id).toString('base64url');
}

/** Reads a cursor back. @throws AppError `invalid_request` when it is not one of ours */
export function decodeCursor(cursor: string): Keyset {
  const text =
    cursor.length <= 256 && /^[A-Za-z0-9_-]+$/.test(cursor) ? Buffer.from(cursor, 'base64url').toString() : '';
  const id = text.slice(VERSION.length);
  const timeMs = text.startsWith(VERSION) ? idTimeMs(id) : null;
  if (timeMs === null) throw new AppError('invalid_request', { text: 'The cursor is malformed.', param: 'cursor' });
  return { id, timeMs };
}
