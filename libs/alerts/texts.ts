import type { PeriodKind } from '#libs/platform/zoned-time.js';
import type { Alert } from './alert.js';

/** A budget as alerts tell of it. */
export interface AlertedBudget {
  readonly orgId: string;
  readonly id: string;
  readonly scope: 'key' | 'user' | 'team' | 'app' | 'org' | 'tag';
  /** What people call whoever has it. */
  readonly ownerName: string;
  readonly limitNanos: number;
  readonly period: PeriodKind;
}

/** A moment in the life of a budget. */
export interface BudgetMoment {
  /** Name of the period, such as `m2026-11`. */
  readonly period: string;
  readonly spentNanos: bigint;
  readonly atMs: number;
}

const PERIODS = { daily: 'today', weekly: 'this week', monthly: 'this month', lifetime: 'in all' } as const;

/** Nano-dollars in whole cents, rounded down: for people, not for sums. */
function dollars(nanos: bigint): string {
  const cents = nanos / 10_000_000n;
  return `$${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
}

function usd(nanos: bigint): string {
  const fraction = String(nanos % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}

/** Somebody chose these names: they stay on their line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200);
}

const ownerOf = ({ scope, ownerName }: AlertedBudget): string =>
  scope === 'org' ? 'the organisation' : `${scope} ${oneLine(ownerName)}`;

function dataOf(budget: AlertedBudget, moment: BudgetMoment): Readonly<Record<string, unknown>> {
  const { id, scope, ownerName, limitNanos, period } = budget;
  const limit = BigInt(limitNanos);
  return {
    budget: id,
    scope,
    owner: ownerName,
    period,
    periodName: moment.period,
    limitUsd: usd(limit),
    spentUsd: usd(moment.spentNanos),
    share: limit === 0n ? 1 : Number((moment.spentNanos * 10_000n) / limit) / 10_000,
  };
}

/** Spend reached a share of the limit. Once per budget, period, limit and share. */
export function thresholdAlert(budget: AlertedBudget, share: number, moment: BudgetMoment): Alert {
  const owner = ownerOf(budget);
  const limit = dollars(BigInt(budget.limitNanos));
  return {
    orgId: budget.orgId,
    kind: 'budget.threshold',
    atMs: moment.atMs,
    dedupeKey: `threshold ${budget.id} ${moment.period} ${budget.limitNanos} ${share}`,
    subject: `Budget of ${owner}: ${percent(share)} of ${limit} spent`,
    text:
      `The ${budget.period} budget of ${owner} has reached ${percent(share)}.\n` +
      `Spent ${PERIODS[budget.period]}: ${dollars(moment.spentNanos)} of ${limit}.\n`,
    data: { ...dataOf(budget, moment), threshold: share },
  };
}

/** Nothing is left. Once per budget, period and limit. */
export function exhaustedAlert(budget: AlertedBudget, moment: BudgetMoment): Alert {
  const owner = ownerOf(budget);
  const limit = dollars(BigInt(budget.limitNanos));
  return {
    orgId: budget.orgId,
    kind: 'budget.exhausted',
    atMs: moment.atMs,
    dedupeKey: `exhausted ${budget.id} ${moment.period} ${budget.limitNanos}`,
    subject: `Budget of ${owner} is exhausted`,
    text:
      `The ${budget.period} budget of ${owner} is exhausted: ${dollars(moment.spentNanos)} of ${limit} spent.\n` +
      `Calls that it has to pay for are refused until it is raised${budget.period === 'lifetime' ? '' : ' or the next period begins'}.\n`,
    data: dataOf(budget, moment),
  };
}

/** A call that cost more than was set aside for it. */
export interface ExceededEstimate {
  readonly orgId: string;
  readonly requestId: string;
  readonly provider: string;
  readonly model: string;
  readonly boundNanos: number;
  readonly costNanos: number;
  readonly atMs: number;
}

/** A bound that is no bound lets budgets be overspent. Once per model and day (UTC). */
export function estimateAlert(call: ExceededEstimate): Alert {
  const { orgId, requestId, provider, model, boundNanos, costNanos, atMs } = call;
  const name = oneLine(`${provider}/${model}`);
  return {
    orgId,
    kind: 'estimate.exceeded',
    atMs,
    dedupeKey: `estimate ${provider} ${model} ${dayOf(atMs)}`,
    subject: `${name} cost more than its upper bound`,
    text:
      `A call of ${name} cost ${usd(BigInt(costNanos))} USD; ${usd(BigInt(boundNanos))} USD had been set aside for it (request ${requestId}).\n` +
      `Budgets are exact only as long as estimates are upper bounds: raise the bound of this model.\n`,
    data: {
      requestId,
      provider,
      model,
      boundUsd: usd(BigInt(boundNanos)),
      costUsd: usd(BigInt(costNanos)),
    },
  };
}

/** A model without a price costs something that nobody counts. Once per model and day (UTC). */
export function unpricedAlert(call: {
  readonly orgId: string;
  readonly provider: string;
  readonly model: string;
  readonly calls: number;
  readonly atMs: number;
}): Alert {
  const { orgId, provider, model, calls, atMs } = call;
  const name = oneLine(`${provider}/${model}`);
  return {
    orgId,
    kind: 'model.unpriced',
    atMs,
    dedupeKey: `unpriced ${provider} ${model} ${dayOf(atMs)}`,
    subject: `${name} has no price`,
    text:
      `${name} was called, and no price is known for it: these calls are booked at 0.\n` +
      `Give it a price (prices: "${name}") so that reports and budgets know what it costs.\n`,
    data: { provider, model, calls },
  };
}

/** What the "test" button of a webhook sends. */
export function testAlert(orgId: string, webhookId: string, uuid: string, atMs: number): Alert {
  return {
    orgId,
    kind: 'webhook.test',
    atMs,
    dedupeKey: `test ${webhookId} ${uuid}`,
    subject: 'Smartflow test message',
    text: 'This message was asked for to see whether the webhook works. It does.\n',
    data: { webhook: webhookId },
    onlyWebhook: webhookId,
  };
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
