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
  /** False: it only counts (`soft`), nothing is ever refused. */
  readonly isHard: boolean;
}

/** A moment in the life of a budget. */
export interface BudgetMoment {
  /** Name of the period, such as `m2026-11`. */
  readonly period: string;
  readonly spentNanos: bigint;
  readonly atMs: number;
}

/** Nano-dollars in whole cents, rounded down: for people, not for sums. Less than a dollar is told exactly. */
function dollars(nanos: bigint): string {
  if (nanos < 1_000_000_000n) return `$${usd(nanos)}`;
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

/** What is told when spending has reached a share of the limit. Once per budget, period, limit and share. */
export function budgetAlert(budget: AlertedBudget, share: number, moment: BudgetMoment): Alert {
  return share === 1 && budget.isHard ? exhaustedAlert(budget, moment) : thresholdAlert(budget, share, moment);
}

function thresholdAlert(budget: AlertedBudget, share: number, moment: BudgetMoment): Alert {
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
      `Spent: ${dollars(moment.spentNanos)} of ${limit} (period ${moment.period}).\n`,
    data: { ...dataOf(budget, moment), threshold: share },
  };
}

/** Nothing is left. */
function exhaustedAlert(budget: AlertedBudget, moment: BudgetMoment): Alert {
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

/** Too little was left to pay for a call. Once per budget, period and limit, however many calls are refused. */
export function refusedAlert(
  budget: AlertedBudget,
  { period, leftNanos, atMs }: { readonly period: string; readonly leftNanos: number; readonly atMs: number },
): Alert {
  const owner = ownerOf(budget);
  const [limit, left] = [BigInt(budget.limitNanos), BigInt(Math.max(0, leftNanos))];
  return {
    orgId: budget.orgId,
    kind: 'budget.refused',
    atMs,
    dedupeKey: `refused ${budget.id} ${period} ${budget.limitNanos}`,
    subject: `Budget of ${owner} cannot pay for every call any more`,
    text:
      `The ${budget.period} budget of ${owner} has ${dollars(left)} of ${dollars(limit)} left, less than a call may have cost: it was refused.\n` +
      `Calls that fit into what is left go on${budget.period === 'lifetime' ? '' : `; the next period begins by itself (this one is ${period})`}.\n`,
    data: {
      budget: budget.id,
      scope: budget.scope,
      owner: budget.ownerName,
      period: budget.period,
      periodName: period,
      limitUsd: usd(limit),
      leftUsd: usd(left),
    },
  };
}

/** Calls of a model that nobody has a price for. */
export interface UnpricedModel {
  readonly orgId: string;
  readonly provider: string;
  readonly model: string;
  /** Of the calls, `2026-11-21` in UTC. */
  readonly day: string;
  readonly calls: number;
}

/** A model without a price costs something that nobody counts. Once per model and day. */
export function unpricedAlert({ orgId, provider, model, day, calls }: UnpricedModel, atMs: number): Alert {
  const name = oneLine(`${provider}/${model}`);
  return {
    orgId,
    kind: 'model.unpriced',
    atMs,
    dedupeKey: `unpriced ${provider} ${model} ${day}`,
    subject: `${name} has no price`,
    text:
      `${name} was called, and no price is known for it: these calls are booked at 0.\n` +
      `Give it a price (prices: "${name}") so that reports and budgets know what it costs.\n`,
    data: { provider, model, day, calls },
  };
}

const STORES: Readonly<Record<string, string>> = { redis: 'Redis', postgres: 'PostgreSQL', mongodb: 'MongoDB' };

/** A store that did not answer. */
export interface StoreOutage {
  readonly store: string;
  readonly reason: string | null;
  readonly sinceMs: number;
  /** `null`: it is still away. */
  readonly untilMs: number | null;
}

/** A store is or was away. Once per store and hour of its beginning. */
export function storeAlert(orgId: string, { store, reason, sinceMs, untilMs }: StoreOutage, atMs: number): Alert {
  const name = STORES[store] ?? store;
  const since = new Date(sinceMs).toISOString();
  const until = untilMs === null ? null : new Date(untilMs).toISOString();
  return {
    orgId,
    kind: 'store.down',
    atMs,
    dedupeKey: `store ${store} ${since.slice(0, 13)}`,
    subject: until === null ? `${name} does not answer` : `${name} did not answer for a while`,
    text:
      `${name} ${until === null ? `has not answered since ${since}` : `did not answer from ${since} to ${until}`}${reason === null ? '' : ` (${reason})`}.\n` +
      `What that means for calls and what it costs stands in docs/outages.md.\n`,
    data: { store, reason, since, until },
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
