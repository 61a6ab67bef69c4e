import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsISO8601, IsOptional, Length, Matches } from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';
import { SPEND_DIMENSIONS } from '../spend/spend-report.js';

/** A day of the report's zone, or a moment with its offset. */
const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
const moment = { message: 'must be a day such as 2026-11-30 or a moment such as 2026-11-30T12:00:00Z' };
const VISIBLE = /^[^\p{C}]+$/u;
const visible = { message: 'must not contain control characters' };
const GROUPS = new RegExp(`^(${SPEND_DIMENSIONS.join('|')})(,(?!\\1$)(${SPEND_DIMENSIONS.join('|')}))?$`);
const groups = { message: `must be one or two, different, of ${SPEND_DIMENSIONS.join(', ')}` };

function IsFilter(): PropertyDecorator {
  return (target, property) => {
    for (const rule of [IsOptional(), Length(1, 512), Matches(VISIBLE, visible)]) rule(target, property);
  };
}

/** What a report covers. Every given filter must hold. */
export class SpendRangeDto extends ListQueryDto {
  @ApiPropertyOptional({
    description:
      'from here on: a day of `time_zone`, or a moment on a quarter of an hour; default: 30 days before `to`',
  })
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  from?: string;

  @ApiPropertyOptional({ description: 'up to here, exclusive; default: the end of today' })
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  to?: string;

  @ApiPropertyOptional({ description: 'IANA zone in which days begin; default: the organisation’s' })
  @IsOptional()
  @Length(1, 64)
  time_zone?: string;

  @ApiPropertyOptional({ description: 'name of the team' })
  @IsFilter()
  team?: string;

  @ApiPropertyOptional({ description: 'name of the user' })
  @IsFilter()
  user?: string;

  @ApiPropertyOptional({ description: 'name of the application' })
  @IsFilter()
  app?: string;

  @ApiPropertyOptional({ description: 'id (key_…) or name of the virtual key' })
  @IsFilter()
  key?: string;

  @ApiPropertyOptional({ description: 'as sent to the provider' })
  @IsFilter()
  model?: string;

  @ApiPropertyOptional({ description: 'name of the provider' })
  @IsFilter()
  provider?: string;

  @ApiPropertyOptional({ description: 'calls that have this tag, among others' })
  @IsFilter()
  tag?: string;
}

/** Query of `GET /api/spend`. */
export class SpendQueryDto extends SpendRangeDto {
  @ApiPropertyOptional({ description: groups.message, default: 'team', example: 'team,day' })
  @IsOptional()
  @Matches(GROUPS, groups)
  group_by: string = 'team';

  @ApiPropertyOptional({
    enum: ['cost', 'group'],
    description: 'the dearest first, or by the groups; default: `group` where days are among them, else `cost`',
  })
  @IsOptional()
  @IsIn(['cost', 'group'])
  sort?: 'cost' | 'group';

  @ApiPropertyOptional({ enum: ['json', 'csv'], default: 'json', description: '`csv`: all groups at once, no pages' })
  @IsOptional()
  @IsIn(['json', 'csv'])
  format: 'json' | 'csv' = 'json';
}

/** Query of `GET /api/spend/export`. */
export class SpendExportDto extends SpendRangeDto {
  @ApiProperty({ enum: ['focus'], description: 'FinOps Open Cost and Usage Specification, as CSV' })
  @IsIn(['focus'])
  format!: 'focus';
}

const count = { type: 'integer' } as const;

/** Sums over calls. */
export class SpendSumsDto {
  @ApiProperty(count)
  calls!: number;
  @ApiProperty({ ...count, description: 'ended in an error of ours or the provider’s' })
  failedCalls!: number;
  @ApiProperty({ ...count, description: 'had usage but no price: what they cost is not in `costUsd`' })
  unpricedCalls!: number;
  @ApiProperty({ ...count, description: 'booked at their bound until the true cost is known' })
  unknownCalls!: number;
  @ApiProperty({ ...count, description: 'cached tokens included' })
  inputTokens!: number;
  @ApiProperty(count)
  cachedInputTokens!: number;
  @ApiProperty(count)
  cacheWriteTokens!: number;
  @ApiProperty({ ...count, description: 'reasoning included' })
  outputTokens!: number;
  @ApiProperty(count)
  reasoningTokens!: number;
  @ApiProperty({ description: 'exact decimal, such as 0.00185' })
  costUsd!: string;
}

const group = { type: String, nullable: true } as const;

/** One group: the fields named in `group_by` are there, `null` for calls that have none. */
export class SpendItemDto extends SpendSumsDto {
  @ApiPropertyOptional(group)
  team?: string | null;
  @ApiPropertyOptional(group)
  user?: string | null;
  @ApiPropertyOptional(group)
  app?: string | null;
  @ApiPropertyOptional({ ...group, description: 'name of the virtual key' })
  key?: string | null;
  @ApiPropertyOptional(group)
  keyId?: string | null;
  @ApiPropertyOptional(group)
  model?: string | null;
  @ApiPropertyOptional(group)
  provider?: string | null;
  @ApiPropertyOptional({ ...group, description: 'a call with several tags counts in each of their groups' })
  tag?: string | null;
  @ApiPropertyOptional({ ...group, format: 'date' })
  day?: string | null;
}

export class SpendReportDto {
  @ApiProperty({ type: [SpendItemDto] })
  items!: SpendItemDto[];
  @ApiProperty({ type: SpendSumsDto, description: 'of the whole range, each call once' })
  totals!: SpendSumsDto;
  @ApiProperty({ format: 'date-time' })
  from!: string;
  @ApiProperty({ format: 'date-time', description: 'exclusive' })
  to!: string;
  @ApiProperty()
  timeZone!: string;
  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
