import { ApiHideProperty, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsObject,
  IsOptional,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { WaitQueryDto } from '#libs/http/index.js';
import { MOST_BUDGETS, WEEK_STARTS, WEEKDAYS, type WeekStart } from '#libs/platform/config.js';
import { BudgetDto, isGiven, isGivenAndNotNull, LimitsDto } from './governance.dto.js';
import {
  IsLabel,
  IsMetadata,
  IsModelPattern,
  IsChainName,
  IsOncePerPeriod,
  IsOwnerName,
  IsRefused,
  IsZone,
} from './rules.decorator.js';

const MAX_PATTERNS = 256;

/** What organisations, teams, users, apps and tags have in common. */
class BudgetedDto {
  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 128 })
  @ValidateIf(isGivenAndNotNull)
  @IsLabel()
  display_name?: string | null;

  @ApiPropertyOptional({ type: [BudgetDto], description: 'what may be spent; all that apply are checked together' })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMaxSize(MOST_BUDGETS)
  @IsOncePerPeriod()
  @ValidateNested({ each: true })
  @Type(() => BudgetDto)
  budgets?: BudgetDto[];
}

class OwnerFieldsDto extends BudgetedDto {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'of teams: fallback chain that stands behind the models its keys ask for',
  })
  @ValidateIf(isGivenAndNotNull)
  @IsChainName()
  chain?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @ValidateIf(isGiven)
  @IsMetadata()
  metadata?: Record<string, string>;

  @ApiPropertyOptional({
    type: [String],
    description: 'what its keys may use at most: names or globs; default all. Not for tags',
  })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMinSize(1, { message: 'must not be empty: leave it out to allow all' })
  @ArrayMaxSize(MAX_PATTERNS)
  @IsModelPattern({ each: true })
  models?: string[];

  @ApiPropertyOptional({ type: LimitsDto, nullable: true, description: 'of all its keys together. Not for tags' })
  @ValidateIf(isGivenAndNotNull)
  @IsObject()
  @ValidateNested()
  @Type(() => LimitsDto)
  limits?: LimitsDto | null;
}

/** A change: absent fields stay as they are. */
export class UpdateOwnerDto extends OwnerFieldsDto {
  @ApiHideProperty()
  @IsRefused('cannot be changed: keys, budgets and reports refer to it; display_name can')
  name?: unknown;
}

/** A new team, user, app or tag, in the shape of the configuration file (CFG-5). */
export class CreateOwnerDto extends OwnerFieldsDto {
  @ApiProperty({ maxLength: 128, description: 'its identity: keys refer to it' })
  @IsOwnerName()
  name!: string;
}

/** A change: absent fields stay as they are. */
export class UpdateOrgDto extends BudgetedDto {
  @ApiPropertyOptional({ description: 'IANA zone of budgets that name none, and of reports' })
  @ValidateIf(isGiven)
  @IsZone()
  time_zone?: string;

  @ApiPropertyOptional({ enum: WEEKDAYS, description: 'first day of a week for budgets that name none' })
  @ValidateIf(isGiven)
  @IsIn(WEEK_STARTS)
  week_start?: WeekStart;

  @ApiPropertyOptional({ type: LimitsDto, nullable: true, description: 'of all its keys together' })
  @ValidateIf(isGivenAndNotNull)
  @IsObject()
  @ValidateNested()
  @Type(() => LimitsDto)
  limits?: LimitsDto | null;
}

/** `?cascade=block`: keys of what is deleted are blocked with it; without it they keep it from being deleted. */
export class DeleteOwnerQueryDto extends WaitQueryDto {
  @ApiPropertyOptional({ enum: ['block'] })
  @IsOptional()
  @IsIn(['block'])
  cascade?: 'block';
}

class KeptDto {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ type: String, nullable: true })
  display_name!: string | null;

  @ApiProperty({ type: [BudgetDto] })
  budgets!: readonly BudgetDto[];

  @ApiProperty({ type: LimitsDto })
  limits!: LimitsDto;

  @ApiProperty({ enum: ['api', 'file'], description: 'file: declared in smartflow.yaml and changed only there' })
  source!: 'api' | 'file';

  @ApiProperty({ type: 'integer', description: 'as in the ETag; send it in If-Match' })
  version!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  created_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  updated_at!: string | null;
}

export class OwnerDto extends KeptDto {
  @ApiProperty({ type: String, nullable: true, description: 'of teams: fallback chain behind what its keys ask for' })
  chain!: string | null;

  @ApiProperty({ type: [String] })
  models!: readonly string[];

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  metadata!: Readonly<Record<string, string>>;
}

export class OrgDto extends KeptDto {
  @ApiProperty()
  time_zone!: string;

  @ApiProperty({ enum: WEEKDAYS })
  week_start!: (typeof WEEKDAYS)[number];
}

export class OwnerListDto {
  @ApiProperty({ type: [OwnerDto] })
  items!: readonly OwnerDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}

export class OrgListDto {
  @ApiProperty({ type: [OrgDto] })
  items!: readonly OrgDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}

export class DeletedOwnerDto {
  @ApiProperty({ type: 'integer', description: 'keys that were blocked with it' })
  blocked_keys!: number;
}
