import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { FAILURE_CLASSES, type FailureClass } from '#libs/platform/config.js';
import { faultOfError, type SimulatedError } from '../simulate.js';

const MOST_ERRORS = 50;

function AreErrors(): PropertyDecorator {
  const faultIn = (value: unknown): string | null => {
    if (!Array.isArray(value) || value.length > MOST_ERRORS) return `must be a list of at most ${MOST_ERRORS} errors`;
    for (const [index, error] of value.entries()) {
      const fault = faultOfError(error);
      if (fault !== null) return `[${index}] ${fault}`;
    }
    return null;
  };
  return ValidateBy({
    name: 'areErrors',
    validator: {
      validate: (value) => faultIn(value) === null,
      defaultMessage: (given) => faultIn(given?.value) ?? '',
    },
  });
}

/** What a simulated request brings along. */
export class SimulatedContextDto {
  @ApiPropertyOptional({ description: 'chain of the key that calls' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  key_chain?: string;

  @ApiPropertyOptional({ description: 'chain of its team' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  team_chain?: string;

  @ApiPropertyOptional({
    description: 'any text that stands for a conversation: the same text goes to the same target',
  })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(256)
  conversation?: string;

  @ApiPropertyOptional({ description: 'provider/model that made the answer a previous_response_id names' })
  @IsOptional()
  @IsString()
  @MaxLength(400)
  pinned?: string;

  @ApiPropertyOptional({ type: [String], description: 'targets that are taken to cool down' })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(64)
  @IsString({ each: true })
  @MaxLength(400, { each: true })
  cooling?: string[];

  @ApiPropertyOptional({ enum: ['live', 'closed'], default: 'closed', description: 'live: targets as they are now' })
  @IsOptional()
  @IsIn(['live', 'closed'])
  health?: 'live' | 'closed';

  @ApiPropertyOptional({ type: 'integer', default: 1, description: 'of the chance in weights and jitter' })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(0xffff_ffff)
  seed?: number;
}

/** A dry run: a chain or a model, and the errors that the attempts meet one after the other. */
export class SimulateDto {
  @ApiPropertyOptional({ description: 'name of a chain; or give model' })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(128)
  chain?: string;

  @ApiPropertyOptional({ description: 'what a request would name: a model or a chain' })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(256)
  model?: string;

  @ApiPropertyOptional({ type: SimulatedContextDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => SimulatedContextDto)
  context?: SimulatedContextDto;

  @ApiPropertyOptional({
    type: 'array',
    maxItems: MOST_ERRORS,
    description: 'statuses, names such as "timeout" or a class of docs/routing.md, or answers in detail',
    example: [429, 529, 'timeout', { status: 429, retry_after_s: 2 }],
    items: {
      oneOf: [
        { type: 'integer' },
        { type: 'string' },
        {
          type: 'object',
          properties: {
            status: { type: 'integer' },
            class: { type: 'string' },
            body: {},
            retry_after_s: { type: 'number' },
          },
        },
      ],
    },
  })
  @IsOptional()
  @AreErrors()
  errors?: SimulatedError[];
}

export class SimulatedAttemptDto {
  @ApiProperty({ type: 'integer', description: 'from 1' })
  attempt!: number;

  @ApiProperty({ type: 'integer', description: 'index of its step; of an attached chain, step 0 is the model itself' })
  step!: number;

  @ApiProperty({ description: 'provider/model' })
  target!: string;

  @ApiProperty()
  provider!: string;

  @ApiProperty()
  model!: string;

  @ApiProperty({ type: 'integer', description: 'ms since the request began' })
  at_ms!: number;

  @ApiProperty({ type: 'integer', description: 'how long its first content is waited for' })
  timeout_ms!: number;

  @ApiProperty({ nullable: true, oneOf: [{ type: 'integer' }, { type: 'string' }, { type: 'object' }] })
  error!: SimulatedError | null;

  @ApiProperty({ type: String, enum: FAILURE_CLASSES, nullable: true })
  class!: FailureClass | null;

  @ApiProperty({ enum: ['served', 'retry', 'next', 'give'], description: 'what was done then' })
  action!: 'served' | 'retry' | 'next' | 'give';

  @ApiProperty({ type: 'integer', description: 'pause before the next attempt' })
  delay_ms!: number;
}

class ServedDto {
  @ApiProperty()
  provider!: string;

  @ApiProperty()
  model!: string;
}

export class SimulationDto {
  @ApiProperty({ type: String, nullable: true })
  chain!: string | null;

  @ApiProperty({ enum: ['served', 'failed', 'unavailable'] })
  outcome!: string;

  @ApiProperty({ type: ServedDto, nullable: true })
  served!: ServedDto | null;

  @ApiProperty({ type: 'integer' })
  attempts!: number;

  @ApiProperty({ type: [SimulatedAttemptDto] })
  path!: readonly SimulatedAttemptDto[];

  @ApiProperty({ type: String, nullable: true, description: 'what the caller is told when no attempt could be made' })
  refusal!: string | null;

  @ApiProperty({ type: 'integer', description: 'errors that were not met any more' })
  unused_errors!: number;

  @ApiProperty({ type: 'integer' })
  duration_ms!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, description: 'headers of such an answer' })
  headers!: Readonly<Record<string, string>>;
}

export class TargetDto {
  @ApiProperty({ description: 'provider/model' })
  target!: string;

  @ApiProperty()
  provider!: string;

  @ApiProperty()
  model!: string;

  @ApiProperty({ enum: ['closed', 'open', 'half_open'] })
  state!: string;

  @ApiProperty({ type: String, format: 'date-time' })
  since!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'when an open one is tried again' })
  retry_at!: string | null;

  @ApiProperty({ type: String, enum: FAILURE_CLASSES, nullable: true, description: 'what opened it' })
  reason!: string | null;

  @ApiProperty({ description: 'share of failures in the last 15 to 30 s, as this replica met them' })
  error_rate!: number;

  @ApiProperty({ type: 'integer', description: 'calls that share is of' })
  calls!: number;

  @ApiProperty({ type: 'integer' })
  in_flight!: number;

  @ApiProperty({ type: Number, nullable: true, description: 'moving average to the first content of streams' })
  latency_ms!: number | null;

  @ApiProperty({ type: [String] })
  chains!: readonly string[];
}

export class TargetListDto {
  @ApiProperty({ type: [TargetDto] })
  items!: readonly TargetDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
