/** What of a row its roll-up is made from: the columns that a statement on `usage_events` hands to {@link rollUp}. */
export const ROLLUP_FACTS: readonly string[] = [
  'ts',
  'state',
  'org_id',
  'team',
  'owner_user',
  'owner_app',
  'key_id',
  'key_name',
  'provider',
  'model',
  'tags',
  'status',
  'error',
  'price_version',
  'usage_raw',
  'input_tokens',
  'cached_input_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_nanos',
  'recost_nanos',
  'recost_version',
];

/** Sums of a roll-up: column → what one row adds. */
const SUMS = {
  calls: `1`,
  failed_calls: `(coalesce(error, '') <> 'client_gone' AND (status >= 400 OR error IS NOT NULL))::int`,
  unpriced_calls: `(usage_raw IS NOT NULL AND coalesce(recost_version, price_version) IS NULL)::int`,
  unknown_calls: `(state = 'unknown')::int`,
  input_tokens: `coalesce(input_tokens, 0)::numeric`,
  cached_input_tokens: `coalesce(cached_input_tokens, 0)::numeric`,
  cache_write_tokens: `coalesce(cache_write_5m_tokens::numeric + cache_write_1h_tokens, 0)`,
  output_tokens: `coalesce(output_tokens, 0)::numeric`,
  reasoning_tokens: `coalesce(reasoning_tokens, 0)::numeric`,
  // as corrected by `recost`, else as booked
  cost_nanos: `coalesce(recost_nanos, cost_nanos)::numeric`,
} as const;
export type RollupSum = keyof typeof SUMS;
export const ROLLUP_SUMS = Object.keys(SUMS) as readonly RollupSum[];

const DIMENSIONS = 'org_id, team, owner_user, owner_app, key_id, key_name, provider, model, tags';
const NAMES = ROLLUP_SUMS.join(', ');
const ADDED = Object.entries(SUMS)
  .map(([name, value]) => `sum(sign * ${value}) AS ${name}`)
  .join(', ');
const GROWN = ROLLUP_SUMS.map((name) => `${name} = r.${name} + excluded.${name}`).join(', ');

/** Every zone's days begin on a quarter of an hour. */
export const QUARTER_MS = 15 * 60_000;

/**
 * The end of a WITH list that moves the roll-ups by what a statement did to rows of `usage_events`, in that very statement:
 * whatever does not happen to the rows does not happen to their sums.
 *
 * @param added name of a part whose rows carry {@link ROLLUP_FACTS} as they are now
 * @param removed the same as they were before, for rows that changed
 *
 * Slices are no calls and left out: they are money that a budget holds back, not spending of anybody's.
 */
export function rollUp(added: string, removed: string | null = null): string {
  const facts = ROLLUP_FACTS.join(', ');
  const before = removed === null ? '' : `UNION ALL SELECT -1, ${facts} FROM ${removed}`;
  return `
  rollup_moves AS (SELECT 1 AS sign, ${facts} FROM ${added} ${before}),
  rollup_sums AS (
    SELECT date_bin('15 minutes', ts, TIMESTAMPTZ '2000-01-01 00:00:00Z') AS ts, org_id, coalesce(team, '') AS team,
      coalesce(owner_user, '') AS owner_user, coalesce(owner_app, '') AS owner_app, key_id, key_name, provider, model,
      ARRAY(SELECT DISTINCT tag COLLATE "C" FROM unnest(tags) AS tag ORDER BY 1) AS tags, ${ADDED}
    FROM rollup_moves WHERE state <> 'slice' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  rollup_places AS MATERIALIZED (
    SELECT *, left(encode(sha256(convert_to(jsonb_build_array(${DIMENSIONS})::text, 'UTF8')), 'hex'), 32)::uuid AS dimension_id
    FROM rollup_sums),
  rollup_dimensions AS (
    INSERT INTO usage_dimensions (id, ${DIMENSIONS})
    SELECT DISTINCT dimension_id, ${DIMENSIONS} FROM rollup_places ORDER BY dimension_id ON CONFLICT (id) DO NOTHING),
  rollup_tags AS (
    INSERT INTO usage_dimension_tags (org_id, tag, dimension_id)
    SELECT DISTINCT org_id, tag, dimension_id FROM rollup_places CROSS JOIN unnest(tags) AS tag ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING),
  rollup_done AS (
    INSERT INTO usage_rollups AS r (ts, org_id, dimension_id, ${NAMES})
    SELECT ts, org_id, dimension_id, ${NAMES} FROM rollup_places ORDER BY org_id, ts, dimension_id
    ON CONFLICT (org_id, ts, dimension_id) DO UPDATE SET ${GROWN})`;
}
