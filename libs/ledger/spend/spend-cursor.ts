import { AppError } from '#libs/platform/errors.js';
import type { SpendQuery, SpendRow } from './spend-report.js';

/** Where a page ended. */
export interface SpendCursor {
  readonly costNanos: bigint;
  readonly groups: readonly string[];
}

const VERSION = 1;

/** The opaque cursor after a row. It belongs to lists of the same groups and order. */
export function encodeSpendCursor(query: Pick<SpendQuery, 'groupBy' | 'sort'>, row: SpendRow): string {
  const { costNanos, groups } = row;
  return Buffer.from(
    JSON.stringify([VERSION, query.groupBy.join(), query.sort, String(costNanos), ...groups]),
  ).toString('base64url');
}

/** Reads a cursor back. @throws AppError `invalid_request` when it is none of this list's */
export function decodeSpendCursor(query: Pick<SpendQuery, 'groupBy' | 'sort'>, cursor: string): SpendCursor {
  const [version, groupBy, sort, cost, ...groups] = parse(cursor);
  const isOurs =
    version === VERSION &&
    groupBy === query.groupBy.join() &&
    sort === query.sort &&
    typeof cost === 'string' &&
    /^-?\d{1,40}$/.test(cost) &&
    groups.length === query.groupBy.length &&
    groups.every((group) => typeof group === 'string' && !group.includes('\0'));
  if (!isOurs) {
    throw new AppError('invalid_request', { text: 'The cursor is malformed or of another list.', param: 'cursor' });
  }
  return { costNanos: BigInt(cost), groups: groups as string[] };
}

function parse(cursor: string): readonly unknown[] {
  if (cursor.length > 4096 || !/^[A-Za-z0-9_-]+$/.test(cursor)) return [];
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
