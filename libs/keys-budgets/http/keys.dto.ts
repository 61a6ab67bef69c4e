import { ApiHideProperty, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { MOST_BUDGETS } from '#libs/platform/config.js';
import { BudgetDto, isGiven, isGivenAndNotNull, LimitsDto } from './governance.dto.js';
import {
  IsChainName,
  IsFutureInstant,
  IsLabel,
  IsMetadata,
  IsModelPattern,
  IsOncePerPeriod,
  IsOwnerName,
  IsRefused,
  IsRoutePattern,
} from './rules.decorator.js';

const MAX_PATTERNS = 256;
const MAX_TAGS = 64;
/** Keys made or changed by one bulk request. */
const MAX_BULK = 500;
/** 90 days. */
const MAX_GRACE_S = 7_776_000;

/** What a new key and a change have in common. */
class KeyFieldsDto {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'fallback chain that stands behind the models it asks for; goes before that of its team',
  })
  @ValidateIf(isGivenAndNotNull)
  @IsChainName()
  chain?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'name of the team that owns the key' })
  @ValidateIf(isGivenAndNotNull)
  @IsOwnerName()
  team?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'name of the user' })
  @ValidateIf(isGivenAndNotNull)
  @IsOwnerName()
  user?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'name of the application' })
  @ValidateIf(isGivenAndNotNull)
  @IsOwnerName()
  app?: string | null;

  @ApiPropertyOptional({ type: [String], description: 'model names or globs such as gpt-*; default all' })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMinSize(1, { message: 'must not be empty: leave it out to allow all' })
  @ArrayMaxSize(MAX_PATTERNS)
  @IsModelPattern({ each: true })
  models?: string[];

  @ApiPropertyOptional({ type: [String], description: 'route globs such as /anthropic/*; default all' })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMinSize(1, { message: 'must not be empty: leave it out to allow all' })
  @ArrayMaxSize(MAX_PATTERNS)
  @IsRoutePattern({ each: true })
  routes?: string[];

  @ApiPropertyOptional({ type: [String] })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMaxSize(MAX_TAGS)
  @ArrayUnique({ message: 'must not name one twice' })
  @IsLabel({ each: true })
  tags?: string[];

  @ApiPropertyOptional({ type: String, format: 'date-time', nullable: true })
  @ValidateIf(isGivenAndNotNull)
  @IsFutureInstant()
  expires_at?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @ValidateIf(isGiven)
  @IsMetadata()
  metadata?: Record<string, string>;

  @ApiPropertyOptional({
    type: [BudgetDto],
    description: 'what its calls may spend; all that apply are checked together',
  })
  @ValidateIf(isGiven)
  @IsArray()
  @ArrayMaxSize(MOST_BUDGETS)
  @IsOncePerPeriod()
  @ValidateNested({ each: true })
  @Type(() => BudgetDto)
  budgets?: BudgetDto[];

  @ApiPropertyOptional({ type: LimitsDto, nullable: true })
  @ValidateIf(isGivenAndNotNull)
  @IsObject()
  @ValidateNested()
  @Type(() => LimitsDto)
  limits?: LimitsDto | null;

  // Known from the file's shape, but nothing would act on it yet: what is taken and ignored is worse than a refusal.
  @ApiHideProperty()
  @IsRefused('is not supported by this version')
  cache?: unknown;

  @ApiHideProperty()
  @IsRefused('cannot be chosen: the gateway makes the secret')
  key?: unknown;
}

/** A new key, in the shape of `keys[]` of the configuration file (CFG-5). */
export class CreateKeyDto extends KeyFieldsDto {
  @ApiProperty({ maxLength: 128 })
  @IsLabel()
  name!: string;
}

/** A change: absent fields stay as they are, `null` takes a value away where that is allowed. */
export class UpdateKeyDto extends KeyFieldsDto {
  @ApiPropertyOptional({ maxLength: 128 })
  @ValidateIf(isGiven)
  @IsLabel()
  name?: string;
}

/** A copy: what is given replaces what the other key has; its name is the other's with "(copy)" unless given. */
export class CloneKeyDto extends UpdateKeyDto {}

export class RotateKeyDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_GRACE_S,
    default: 0,
    description: 'seconds for which the old secret works too',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_GRACE_S)
  grace_s?: number;
}

export class BlockKeyDto {
  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 128 })
  @ValidateIf(isGivenAndNotNull)
  @IsLabel()
  reason?: string | null;
}

export const BULK_ACTIONS = ['create', 'block', 'unblock', 'delete'] as const;

/** Many keys at once, all or none. `create` takes `keys`, the others take `ids`. */
export class BulkKeysDto {
  @ApiProperty({ enum: BULK_ACTIONS })
  @IsIn(BULK_ACTIONS)
  action!: (typeof BULK_ACTIONS)[number];

  @ApiPropertyOptional({ type: [CreateKeyDto], maxItems: MAX_BULK, description: 'to create' })
  @ValidateIf(({ action }: BulkKeysDto, value: unknown) => action === 'create' || value !== undefined)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_BULK)
  @ValidateNested({ each: true })
  @Type(() => CreateKeyDto)
  keys?: CreateKeyDto[];

  @ApiPropertyOptional({ type: [String], maxItems: MAX_BULK, description: 'to block, unblock or delete' })
  @ValidateIf(({ action }: BulkKeysDto, value: unknown) => action !== 'create' || value !== undefined)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_BULK)
  @IsLabel({ each: true })
  ids?: string[];

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 128, description: 'why, for block' })
  @ValidateIf(isGivenAndNotNull)
  @IsLabel()
  reason?: string | null;
}

/** A virtual key without its secret. */
export class KeyDto {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ type: String, nullable: true, description: 'first characters of the key; null for keys of the file' })
  key_hint!: string | null;

  @ApiProperty({ type: String, nullable: true })
  team!: string | null;

  @ApiProperty({ type: String, nullable: true })
  user!: string | null;

  @ApiProperty({ type: String, nullable: true })
  app!: string | null;

  @ApiProperty({ type: [String] })
  models!: readonly string[];

  @ApiProperty({ type: [String] })
  routes!: readonly string[];

  @ApiProperty({ type: [String] })
  tags!: readonly string[];

  @ApiProperty({ type: [BudgetDto] })
  budgets!: readonly BudgetDto[];

  @ApiProperty({ type: LimitsDto })
  limits!: LimitsDto;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  expires_at!: string | null;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  metadata!: Readonly<Record<string, string>>;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'fallback chain that stands behind the models it asks for',
  })
  chain!: string | null;

  @ApiProperty({ enum: ['active', 'expired', 'blocked', 'revoked'] })
  status!: 'active' | 'expired' | 'blocked' | 'revoked';

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'why its calls are refused although it is active, such as a team that does not exist',
  })
  problem!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'why it is blocked' })
  blocked_reason!: string | null;

  @ApiProperty({ enum: ['api', 'file'], description: 'file: declared in smartflow.yaml and changed only there' })
  source!: 'api' | 'file';

  @ApiProperty({ type: 'integer', description: 'as in the ETag; send it in If-Match' })
  version!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  created_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  updated_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  blocked_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revoked_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  rotated_at!: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'until then the old secret works too',
  })
  previous_key_until!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'id of the token or session that made it' })
  created_by!: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'to the minute; null: never, or unknown',
  })
  last_used_at!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'what its calls cost in all, decimal USD, a second behind the calls; null: not known now',
  })
  spent_usd!: string | null;
}

export class CreatedKeyDto extends KeyDto {
  @ApiProperty({ description: 'the secret, shown here and never again', example: 'sk-sf-…' })
  key!: string;
}

/** The keys of a bulk request, in its order; secrets only where keys were made. */
export class BulkKeysResultDto {
  @ApiProperty({ type: [CreatedKeyDto] })
  items!: readonly (KeyDto | CreatedKeyDto)[];
}

export class KeyListDto {
  @ApiProperty({ type: [KeyDto] })
  items!: readonly KeyDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
