import { ApiHideProperty, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsOptional, ValidateIf } from 'class-validator';
import { IsFutureInstant, IsLabel, IsMetadata, IsModelPattern, IsRefused, IsRoutePattern } from './rules.decorator.js';

const MAX_PATTERNS = 256;
const MAX_TAGS = 64;
const NOT_YET = 'is not supported by this version';

const isGiven = (_owner: unknown, value: unknown): boolean => value !== undefined;
const isGivenAndNotNull = (_owner: unknown, value: unknown): boolean => value !== undefined && value !== null;

/** What a new key and a change have in common. */
class KeyFieldsDto {
  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 128 })
  @ValidateIf(isGivenAndNotNull)
  @IsLabel()
  team?: string | null;

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

  // Known from the file's shape, but nothing would enforce them yet: a limit that is taken and ignored is worse than none.
  @ApiHideProperty()
  @IsRefused(NOT_YET)
  budgets?: unknown;

  @ApiHideProperty()
  @IsRefused(NOT_YET)
  limits?: unknown;

  @ApiHideProperty()
  @IsRefused(NOT_YET)
  cache?: unknown;

  @ApiHideProperty()
  @IsRefused(NOT_YET)
  user?: unknown;

  @ApiHideProperty()
  @IsRefused(NOT_YET)
  app?: unknown;

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

/** `?wait=applied`: answer when every living replica has taken the change over (5 s at most). */
export class WaitQueryDto {
  @ApiPropertyOptional({ enum: ['applied'] })
  @IsOptional()
  @IsIn(['applied'])
  wait?: 'applied';
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

  @ApiProperty({ type: [String] })
  models!: readonly string[];

  @ApiProperty({ type: [String] })
  routes!: readonly string[];

  @ApiProperty({ type: [String] })
  tags!: readonly string[];

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  expires_at!: string | null;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  metadata!: Readonly<Record<string, string>>;

  @ApiProperty({ enum: ['active', 'expired', 'revoked'] })
  status!: 'active' | 'expired' | 'revoked';

  @ApiProperty({ enum: ['api', 'file'], description: 'file: declared in smartflow.yaml and changed only there' })
  source!: 'api' | 'file';

  @ApiProperty({ type: 'integer', description: 'as in the ETag; send it in If-Match' })
  version!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  created_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  updated_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revoked_at!: string | null;
}

export class CreatedKeyDto extends KeyDto {
  @ApiProperty({ description: 'the secret, shown here and never again', example: 'sk-sf-…' })
  key!: string;
}

export class KeyListDto {
  @ApiProperty({ type: [KeyDto] })
  items!: readonly KeyDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
