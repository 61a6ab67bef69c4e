import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow, IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { FAILURE_ACTIONS, FAILURE_CLASSES, MOST_ATTEMPTS, STRATEGIES } from '#libs/platform/config.js';

// What stands below the first level is judged by the rules of the file's `fallback_chains` (CFG-5), not by decorators: one
// shape, one wording. Here it is described.

export class ChainTargetDto {
  @ApiProperty({ description: 'provider/model, a configured model, or another chain alone in its step' })
  model!: string;

  @ApiPropertyOptional({ type: Number, minimum: 0, default: 1, description: 'share of the calls; 0 = parked' })
  weight?: number;

  @ApiPropertyOptional({ type: 'integer', description: 'to the first content; default: of the provider' })
  timeout_ms?: number;

  @ApiPropertyOptional({ type: 'integer', description: 'between two chunks; default: of the provider' })
  idle_ms?: number;
}

export class ChainStepDto {
  @ApiPropertyOptional({ enum: STRATEGIES, default: 'weighted' })
  strategy?: string;

  @ApiPropertyOptional({ enum: FAILURE_CLASSES, isArray: true, description: 'only after a failure of these classes' })
  on?: readonly string[];

  @ApiProperty({ type: [ChainTargetDto] })
  targets!: readonly ChainTargetDto[];
}

export class ChainRetryDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MOST_ATTEMPTS,
    description: 'of a request, all targets',
  })
  max_attempts?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MOST_ATTEMPTS, default: 2 })
  attempts_per_target?: number;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'to the first content, all attempts together; default: longest total_ms of its providers',
  })
  deadline_ms?: number;

  @ApiPropertyOptional({ type: 'integer', default: 250, description: 'bound of the first back-off' })
  base_ms?: number;

  @ApiPropertyOptional({ type: 'integer', default: 8000 })
  max_backoff_ms?: number;

  @ApiPropertyOptional({
    enum: ['give', 'next'],
    default: 'give',
    description: 'when an answer breaks off after content',
  })
  after_content?: string;
}

/** What a new chain and a change have in common. */
class ChainFieldsDto {
  @ApiPropertyOptional({ type: ChainRetryDto })
  @Allow()
  retry?: unknown;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string', enum: [...FAILURE_ACTIONS] },
    description: 'class of failure → action, where it differs from docs/routing.md',
  })
  @Allow()
  errors?: unknown;

  @ApiPropertyOptional({ enum: ['conversation', 'none'], default: 'conversation' })
  @Allow()
  affinity?: unknown;
}

/** A new chain, in the shape of `fallback_chains` of the configuration file. */
export class CreateChainDto extends ChainFieldsDto {
  @ApiProperty({ maxLength: 128, description: 'used as the model of a request' })
  @IsString()
  @MaxLength(128)
  name!: string;

  @ApiProperty({ type: [ChainStepDto] })
  @Allow()
  steps!: unknown;
}

/** The whole chain anew; its name stays. */
export class ReplaceChainDto extends ChainFieldsDto {
  @ApiPropertyOptional({ description: 'as it is' })
  @Allow()
  name?: unknown;

  @ApiProperty({ type: [ChainStepDto] })
  @Allow()
  steps!: unknown;
}

/** A change: absent parts stay as they are, `null` takes a part away. */
export class UpdateChainDto extends ChainFieldsDto {
  @ApiPropertyOptional({ description: 'as it is' })
  @Allow()
  name?: unknown;

  @ApiPropertyOptional({ type: [ChainStepDto] })
  @Allow()
  steps?: unknown;
}

/** `?wait=applied`: answer when every living replica has taken the change over (5 s at most). */
export class ChainWaitQueryDto {
  @ApiPropertyOptional({ enum: ['applied'] })
  @IsOptional()
  @IsIn(['applied'])
  wait?: 'applied';
}

export class ChainFaultDto {
  @ApiProperty()
  path!: string;

  @ApiProperty()
  message!: string;
}

export class ChainDto {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ type: [ChainStepDto] })
  steps!: readonly ChainStepDto[];

  @ApiProperty({ type: ChainRetryDto })
  retry!: ChainRetryDto;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string', enum: [...FAILURE_ACTIONS] } })
  errors!: Readonly<Record<string, string>>;

  @ApiProperty({ enum: ['conversation', 'none'] })
  affinity!: string;

  @ApiProperty({ enum: ['api', 'file'], description: 'file: declared in smartflow.yaml and changed only there' })
  source!: 'api' | 'file';

  @ApiProperty({ type: [ChainFaultDto], description: 'what has come to be wrong with it since it was saved' })
  faults!: readonly ChainFaultDto[];

  @ApiProperty({ type: 'integer', description: 'as in the ETag; send it in If-Match' })
  version!: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  created_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  updated_at!: string | null;
}

export class ChainListDto {
  @ApiProperty({ type: [ChainDto] })
  items!: readonly ChainDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
