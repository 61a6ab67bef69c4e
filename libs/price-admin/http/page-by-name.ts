import { AppError } from '#libs/platform/errors.js';

/** One page of a list sorted by name. The cursor is the last name shown, in base64url. */
export function pageByName<T>(
  all: readonly T[],
  nameOf: (item: T) => string,
  limit: number,
  cursor: string | undefined,
): { readonly items: readonly T[]; readonly nextCursor: string | null } {
  const after = cursor === undefined ? null : decode(cursor);
  const rest = after === null ? all : all.filter((item) => nameOf(item) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  const more = last !== undefined && rest.length > items.length;
  return { items, nextCursor: more ? Buffer.from(nameOf(last)).toString('base64url') : null };
}

function decode(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString('utf8');
  if (name === '' || Buffer.from(name).toString('base64url') !== cursor) {
    throw new AppError('invalid_request', { text: '"cursor" is not one of ours.', param: 'cursor' });
  }
  return name;
}
