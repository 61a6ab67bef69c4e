import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';
import { PERIOD_KINDS } from '#libs/platform/zoned-time.js';
import { BUDGET_MODES } from '../budgets/budget-definition.js';

const SCOPES = ['org', 'team', 'user', 'app', 'tag', 'key'] as const;

export class BudgetQueryDto extends ListQueryDto {
  @ApiPropertyOptional({ enum: SCOPES, description: 'only budgets of these' })
  @IsOptional()
  @IsIn(SCOPES)
  scope?: (typeof SCOPES)[number];

  @ApiPropertyOptional({ description: 'only of this owner: a name, for a key its id or name' })
  @IsOptional()
  @IsString()
  @MaxLength(300)
  owner?: string;
}

export class RunningBudgetDto {
  @ApiProperty({ example: 'team:research:monthly' })
  id!: string;

  @ApiProperty({ enum: SCOPES })
  scope!: string;

  @ApiProperty({ description: 'name of the owner', example: 'research' })
  owner!: string;

  @ApiProperty({ description: 'id of the owner: of a key its id, else its name' })
  owner_id!: string;

  @ApiProperty({ enum: BUDGET_MODES })
  mode!: string;

  @ApiProperty({ enum: PERIOD_KINDS })
  period!: string;

  @ApiProperty({ type: String, nullable: true, description: 'begin of the running period; null for a lifetime' })
  period_start!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'begin of the next one; null for a lifetime' })
  period_end!: string | null;

  @ApiProperty({ description: 'decimal USD', example: '100' })
  limit_usd!: string;

  @ApiProperty({ description: 'spent in the running period, by the rows of the ledger (a second behind the calls)' })
  spent_usd!: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'set aside by gateways for calls under way and the next ones; null while Redis does not answer',
  })
  reserved_usd!: string | null;

  @ApiProperty({ description: 'what is neither spent nor set aside' })
  remaining_usd!: string;
}

export class BudgetListDto {
  @ApiProperty({ type: [RunningBudgetDto] })
  items!: RunningBudgetDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
