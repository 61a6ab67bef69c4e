import { dayAt, periodAt } from '#libs/platform/zoned-time.js';
import { nanosToUsd } from '../cost-usd.js';
import { csvDocument } from './csv.js';
import type { DailySpend, SpendRange } from './spend-report.js';

/** The version of the FinOps Open Cost and Usage Specification whose columns these are. */
export const FOCUS_VERSION = '1.2';

type Cell = string | number;
interface Charge extends DailySpend {
  readonly orgId: string;
  readonly cost: string;
  readonly monthStartMs: number;
  readonly monthEndMs: number;
}

const instant = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const tokens = ({ inputTokens, outputTokens }: DailySpend): number => inputTokens + outputTokens;

/**
 * Column → its value. Of the columns of FOCUS 1.2 those that mean something here; what is unknown of a charge is empty
 * (null). List, contracted, billed and effective cost are one number: discounts are not known to a gateway. Columns that
 * the specification does not know begin with `x_`, as it wants.
 */
const COLUMNS: Readonly<Record<string, (charge: Charge) => Cell>> = {
  BilledCost: ({ cost }) => cost,
  BillingAccountId: ({ orgId }) => orgId,
  BillingAccountName: ({ orgId }) => orgId,
  BillingAccountType: () => 'Organisation',
  BillingCurrency: () => 'USD',
  BillingPeriodEnd: ({ monthEndMs }) => instant(monthEndMs),
  BillingPeriodStart: ({ monthStartMs }) => instant(monthStartMs),
  ChargeCategory: () => 'Usage',
  ChargeClass: () => '',
  ChargeDescription: ({ provider, model, calls }) => `${calls} calls of ${provider}/${model}`,
  ChargeFrequency: () => 'Usage-Based',
  ChargePeriodEnd: ({ toMs }) => instant(toMs),
  ChargePeriodStart: ({ fromMs }) => instant(fromMs),
  ConsumedQuantity: tokens,
  ConsumedUnit: () => 'Tokens',
  ContractedCost: ({ cost }) => cost,
  EffectiveCost: ({ cost }) => cost,
  InvoiceIssuerName: ({ provider }) => provider,
  ListCost: ({ cost }) => cost,
  PricingCategory: () => 'Standard',
  PricingCurrency: () => 'USD',
  PricingQuantity: tokens,
  PricingUnit: () => 'Tokens',
  ProviderName: ({ provider }) => provider,
  PublisherName: ({ provider }) => provider,
  ResourceId: ({ keyId }) => keyId,
  ResourceName: ({ keyName }) => keyName,
  ResourceType: () => 'Virtual Key',
  ServiceCategory: () => 'AI and Machine Learning',
  ServiceName: ({ model }) => model,
  ServiceSubcategory: () => 'Generative AI',
  SkuId: ({ provider, model }) => `${provider}/${model}`,
  SubAccountId: ({ team }) => team,
  SubAccountName: ({ team }) => team,
  SubAccountType: ({ team }) => (team === '' ? '' : 'Team'),
  Tags: tagsOf,
  x_CachedInputTokens: ({ cachedInputTokens }) => cachedInputTokens,
  x_CacheWriteTokens: ({ cacheWriteTokens }) => cacheWriteTokens,
  x_Calls: ({ calls }) => calls,
  x_FailedCalls: ({ failedCalls }) => failedCalls,
  x_InputTokens: ({ inputTokens }) => inputTokens,
  x_OutputTokens: ({ outputTokens }) => outputTokens,
  x_ReasoningTokens: ({ reasoningTokens }) => reasoningTokens,
  x_UnknownCalls: ({ unknownCalls }) => unknownCalls,
  x_UnpricedCalls: ({ unpricedCalls }) => unpricedCalls,
};

/** Key-value form: a tag of a key has no value, which FOCUS writes as `true`; our own have a prefix. */
function tagsOf({ team, user, app, keyName, tags }: Charge): string {
  const pairs: [string, string | true][] = tags.map((tag) => [tag, true]);
  for (const [name, value] of Object.entries({ team, user, app, key: keyName })) {
    if (value !== '') pairs.push([`smartflow/${name}`, value]);
  }
  return JSON.stringify(Object.fromEntries(pairs));
}

/** Daily charges as CSV with the columns of FOCUS. The billing period is the calendar month of the range's zone. */
export function focusDocument(orgId: string, { timeZone }: SpendRange, spend: readonly DailySpend[]): string {
  const names = Object.keys(COLUMNS);
  const rule = { kind: 'monthly', timeZone, weekStart: 1 } as const;
  function* rows(): Generator<Cell[]> {
    for (const day of spend) {
      const { startMs, endMs } = periodAt(rule, day.fromMs);
      const charge = { ...day, orgId, cost: nanosToUsd(day.costNanos), monthStartMs: startMs, monthEndMs: endMs };
      yield names.map((name) => (COLUMNS[name] as (charge: Charge) => Cell)(charge));
    }
  }
  return csvDocument(names, rows());
}

/** Name of the exported file. */
export function focusFileName({ fromMs, toMs, timeZone }: SpendRange): string {
  const day = (ms: number): string => new Date(dayAt(timeZone, ms) * 86_400_000).toISOString().slice(0, 10);
  return `smartflow-focus-${day(fromMs)}-${day(toMs - 1)}.csv`;
}
