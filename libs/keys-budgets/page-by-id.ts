import { AppError } from '#libs/platform/errors.js';

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

const CURSOR = /^[A-Za-z0-9_.-]{1,300}$/;

/**
 * One page of a list, by descending id: ids of ours begin with their time, so this is newest first and no item is skipped or
 * shown twice when others come and go. The cursor is the last id shown, in base64url.
 */
export function pageById<T extends { readonly id: string }>(
  all: readonly T[],
  limit: number,
  cursor: string | undefined,
): Page<T> {
  const after = cursor === undefined ? null : decode(cursor);
  const rest = after === null ? [...all] : all.filter((item) => item.id < after);
  rest.sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    nextCursor: last === undefined || rest.length <= limit ? null : Buffer.from(last.id).toString('base64url'),
  };
}

function decode(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!CURSOR.test(id) || Buffer.from(id, 'latin1').toString('base64url') !== cursor) {
    throw new AppError('invalid_request', { text: '"cursor" is not one of ours.', param: 'cursor' });
  }
  return id;
}
