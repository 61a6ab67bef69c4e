import { nanosToUsd } from '../cost-usd.js';
import { csvDocument } from '../spend/csv.js';
import type { SpendDimension, SpendFilter, SpendRow, SpendSums } from '../spend/spend-report.js';
import type { SpendItemDto, SpendRangeDto, SpendSumsDto } from './spend.dto.js';

export function toFilter(query: SpendRangeDto): SpendFilter {
  const { team, user, app, key, model, provider, tag } = query;
  const given = Object.entries({ team, user, app, key, model, provider, tag }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(given) as SpendFilter;
}

export function toSums({ costNanos, ...counts }: SpendSums): SpendSumsDto {
  return { ...counts, costUsd: nanosToUsd(costNanos) };
}

export function toItem(groupBy: readonly SpendDimension[], { groups, keyName, ...sums }: SpendRow): SpendItemDto {
  const named: Record<string, string | null> = {};
  for (const [index, dimension] of groupBy.entries()) {
    const value = groups[index] === '' ? null : (groups[index] ?? null);
    if (dimension === 'key') Object.assign(named, { key: keyName, keyId: value });
    else named[dimension] = value;
  }
  return { ...named, ...toSums(sums) };
}

const SUMS = [
  ['calls', 'calls'],
  ['failed_calls', 'failedCalls'],
  ['unpriced_calls', 'unpricedCalls'],
  ['unknown_calls', 'unknownCalls'],
  ['input_tokens', 'inputTokens'],
  ['cached_input_tokens', 'cachedInputTokens'],
  ['cache_write_tokens', 'cacheWriteTokens'],
  ['output_tokens', 'outputTokens'],
  ['reasoning_tokens', 'reasoningTokens'],
] as const;

/** Groups as CSV: their names first (of a key its name and id), then the sums, the cost in USD last. */
export function toCsv(groupBy: readonly SpendDimension[], rows: readonly SpendRow[]): string {
  const header = groupBy.flatMap((dimension) => (dimension === 'key' ? ['key', 'key_id'] : [dimension]));
  return csvDocument(
    [...header, ...SUMS.map(([name]) => name), 'cost_usd'],
    rows.map((row) => [
      ...groupBy.flatMap((dimension, index) => {
        const value = row.groups[index] ?? '';
        return dimension === 'key' ? [row.keyName ?? '', value] : [value];
      }),
      ...SUMS.map(([, field]) => row[field]),
      nanosToUsd(row.costNanos),
    ]),
  );
}
