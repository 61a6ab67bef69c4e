import { AppError } from '#libs/platform/errors.js';

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/**
 * One page of a list by ascending name; nothing is skipped or shown twice when others come and go. The cursor is the last name
 * shown, in base64url. @throws AppError `invalid_request` for a cursor that is none
 */
export function pageByName<T extends { readonly name: string }>(
  all: readonly T[],
  limit: number,
  cursor: string | undefined,
): Page<T> {
  const after = cursor === undefined ? null : decode(cursor);
  const rest = all.filter(({ name }) => after === null || name > after).sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    nextCursor: last === undefined || rest.length <= limit ? null : Buffer.from(last.name).toString('base64url'),
  };
}

function decode(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString();
  if (name === '' || Buffer.from(name).toString('base64url') !== cursor) {
    throw new AppError('invalid_request', { text: '"cursor" is not one of ours.', param: 'cursor' });
  }
  return name;
}
