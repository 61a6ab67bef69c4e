import { AppError } from '#libs/platform/errors.js';

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

const CURSOR = /^[A-Za-z0-9_.-]{1,300}$/;

/**
 * One page of a list, by descending id: ids of ours begin with their time, so this is newest first and no item is skipped or
 * shown twice when others come and go. The cursor is the last id shown, in base64url;
 * one of another list (another `prefix` of ids) is refused. One pass, without sorting everything:
 * the list may be long and this runs beside the data plane.
 */
export function pageById<T extends { readonly id: string }>(
  all: Iterable<T>,
  limit: number,
  cursor: string | undefined,
  prefix: string,
): Page<T> {
  const after = cursor === undefined ? null : decode(cursor, prefix);
  const best: T[] = []; // by descending id, one more than the page
  for (const item of all) {
    if (after !== null && item.id >= after) continue;
    if (best.length > limit && item.id < (best[limit] as T).id) continue;
    let at = best.length;
    while (at > 0 && (best[at - 1] as T).id < item.id) at--;
    best.splice(at, 0, item);
    if (best.length > limit + 1) best.pop();
  }
  const items = best.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    nextCursor: last === undefined || best.length <= limit ? null : Buffer.from(last.id).toString('base64url'),
  };
}

function decode(cursor: string, prefix: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!id.startsWith(`${prefix}_`) || !CURSOR.test(id) || Buffer.from(id, 'latin1').toString('base64url') !== cursor) {
    throw new AppError('invalid_request', { text: '"cursor" is not one of ours.', param: 'cursor' });
  }
  return id;
}
