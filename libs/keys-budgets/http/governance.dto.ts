import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsNumber, IsPositive, Max, Min, ValidateIf } from 'class-validator';
import {
  BUDGET_MODES,
  BUDGET_PERIODS,
  MOST_PARALLEL,
  MOST_RPM,
  MOST_TPM,
  MOST_WARN_AT,
  MOST_WARNINGS,
  NO_LIMITS,
  WEEK_STARTS,
  WEEKDAYS,
  weekdayNumber,
  type BudgetConfig,
  type BudgetConfigMode,
  type BudgetPeriod,
  type LimitsConfig,
  type WeekStart,
} from '#libs/platform/config.js';
import { nanosToUsd, usdToNanos } from '#libs/platform/money.js';
import { IsAmountUsd, IsZone } from './rules.decorator.js';

export const isGiven = (_owner: unknown, value: unknown): boolean => value !== undefined;
export const isGivenAndNotNull = (_owner: unknown, value: unknown): boolean => value !== undefined && value !== null;

/** A budget, in the shape of the configuration file (CFG-5). */
export class BudgetDto {
  @ApiProperty({ description: 'what may be spent in a period, in USD; at most 9000000', example: 100 })
  @IsAmountUsd()
  limit_usd!: number;

  @ApiProperty({ enum: BUDGET_PERIODS })
  @IsIn(BUDGET_PERIODS)
  period!: BudgetPeriod;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'IANA zone; null: the organisation’s' })
  @ValidateIf(isGivenAndNotNull)
  @IsZone()
  time_zone?: string | null;

  @ApiPropertyOptional({ enum: WEEKDAYS, nullable: true, description: 'or 1 to 7; null: the organisation’s' })
  @ValidateIf(isGivenAndNotNull)
  @IsIn(WEEK_STARTS)
  week_start?: WeekStart | null;

  @ApiPropertyOptional({
    enum: BUDGET_MODES,
    default: 'clamp',
    description: 'soft budgets are counted apart: a change between soft and a hard mode starts a count of its own',
  })
  @ValidateIf(isGiven)
  @IsIn(BUDGET_MODES)
  mode?: BudgetConfigMode;

  @ApiPropertyOptional({ type: [Number], description: 'shares of the limit at which to warn', example: [0.5, 0.8] })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMaxSize(MOST_WARNINGS)
  @IsNumber({}, { each: true })
  @IsPositive({ each: true })
  @Max(MOST_WARN_AT, {
    each: true,
    message: `each value must be a share of the limit up to ${MOST_WARN_AT}, such as 0.8`,
  })
  warn_at?: number[];
}

/** Rate limits, in the shape of the configuration file. */
export class LimitsDto {
  @ApiPropertyOptional({ type: 'integer', nullable: true, description: 'requests in any 60 seconds' })
  @ValidateIf(isGivenAndNotNull)
  @IsInt()
  @Min(1)
  @Max(MOST_RPM)
  rpm?: number | null;

  @ApiPropertyOptional({ type: 'integer', nullable: true, description: 'tokens in any 60 seconds' })
  @ValidateIf(isGivenAndNotNull)
  @IsInt()
  @Min(1)
  @Max(MOST_TPM)
  tpm?: number | null;

  @ApiPropertyOptional({ type: 'integer', nullable: true, description: 'calls under way at the same time' })
  @ValidateIf(isGivenAndNotNull)
  @IsInt()
  @Min(1)
  @Max(MOST_PARALLEL)
  max_parallel?: number | null;
}

export function toBudgets(dtos: readonly BudgetDto[]): readonly BudgetConfig[] {
  return dtos.map((dto) => ({
    limitNanos: usdToNanos(dto.limit_usd) ?? 0, // validated: it has an exact amount
    period: dto.period,
    timeZone: dto.time_zone ?? null,
    weekStart: dto.week_start == null ? null : weekdayNumber(dto.week_start),
    mode: dto.mode ?? 'clamp',
    warnAt: [...new Set(dto.warn_at ?? [])].sort((a, b) => a - b),
  }));
}

export function toLimits(dto: LimitsDto | null): LimitsConfig {
  if (dto === null) return NO_LIMITS;
  return { rpm: dto.rpm ?? null, tpm: dto.tpm ?? null, maxParallel: dto.max_parallel ?? null };
}

export function toBudgetDtos(budgets: readonly BudgetConfig[]): BudgetDto[] {
  return budgets.map((budget) => ({
    limit_usd: nanosToUsd(budget.limitNanos),
    period: budget.period,
    time_zone: budget.timeZone,
    week_start: budget.weekStart === null ? null : weekdayName(budget.weekStart),
    mode: budget.mode,
    warn_at: [...budget.warnAt],
  }));
}

export function toLimitsDto({ rpm, tpm, maxParallel }: LimitsConfig): LimitsDto {
  return { rpm, tpm, max_parallel: maxParallel };
}

/** 1 is monday. */
export function weekdayName(day: number): (typeof WEEKDAYS)[number] {
  return WEEKDAYS[day - 1] as (typeof WEEKDAYS)[number];
}
