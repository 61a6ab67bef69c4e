import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, Require, type AdminPrincipal } from '#libs/http/index.js';
import { nanosToUsdText } from '#libs/platform/money.js';
import { REGISTRY_FEED, type RegistryFeed } from '#libs/registry/index.js';
import { listBudgets, type BudgetSums, type RunningBudget } from '../budget-listing.js';
import type { Declared } from '../key-admin.js';
import { BudgetListDto, BudgetQueryDto, type RunningBudgetDto } from './budgets.dto.js';

/** Nest token of the {@link BudgetSums}. */
export const BUDGET_SUMS = Symbol('BUDGET_SUMS');
/** Nest token of {@link Declared}. */
export const DECLARED = Symbol('DECLARED');

/** Budgets with what is spent, set aside and left in the running period (KEY-2). They are changed at their owners. */
@ApiTags('budgets')
@Controller('api/budgets')
export class BudgetsController {
  constructor(
    @Inject(REGISTRY_FEED) private readonly feed: RegistryFeed,
    @Inject(DECLARED) private readonly declared: Declared,
    @Inject(BUDGET_SUMS) private readonly sums: BudgetSums,
  ) {}

  /** By their id. */
  @Get()
  @Require('budgets:read')
  @ApiOkResponse({ type: BudgetListDto })
  async list(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Query() { limit, cursor, scope, owner }: BudgetQueryDto,
  ): Promise<BudgetListDto> {
    const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
    const all = listBudgets(orgId, this.feed.current(), this.declared(), Date.now()).filter(
      (found) =>
        found.budget.id > after &&
        (scope === undefined || found.owner.scope === scope) &&
        (owner === undefined || found.owner.id === owner || found.owner.name === owner),
    );
    const page = all.slice(0, limit);
    const fields = page.map(({ field }) => field);
    const sums = await this.sums.of(orgId, fields);
    const last = page.at(-1)?.budget.id;
    return {
      items: page.map((found) => toItem(found, sums.get(found.field) ?? { spentNanos: 0, committedNanos: null })),
      nextCursor: last === undefined || all.length <= limit ? null : Buffer.from(last).toString('base64url'),
    };
  }
}

function toItem(
  { budget, owner, startMs, endMs }: RunningBudget,
  { spentNanos, committedNanos }: { readonly spentNanos: number; readonly committedNanos: number | null },
): RunningBudgetDto {
  const taken = Math.max(spentNanos, committedNanos ?? 0);
  return {
    id: budget.id,
    scope: budget.scope,
    owner: owner.name,
    owner_id: owner.id,
    mode: budget.mode,
    period: budget.period,
    period_start: startMs === null ? null : new Date(startMs).toISOString(),
    period_end: endMs === null ? null : new Date(endMs).toISOString(),
    limit_usd: usd(budget.limitNanos),
    spent_usd: usd(spentNanos),
    reserved_usd: committedNanos === null ? null : usd(taken - spentNanos),
    remaining_usd: usd(Math.max(0, budget.limitNanos - taken)),
  };
}

const usd = (nanos: number): string => nanosToUsdText(BigInt(nanos));
