import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { NoBodiesReason } from '../read-bodies.js';
import type { UsageState } from '../store/usage-ledger.js';

const text = { type: String, nullable: true } as const;
const count = { type: 'integer', nullable: true } as const;

/** One call as the API shows it (CFG-5). Token counts are `null` when the provider reported none. */
export class LogItemDto {
  @ApiProperty()
  id!: string;
  @ApiProperty({ format: 'date-time' })
  time!: string;
  @ApiProperty({ enum: ['settled', 'unknown', 'slice'], description: 'unknown: booked at its bound until it is known' })
  state!: UsageState;
  @ApiProperty({ description: 'such as /v1/chat/completions' })
  route!: string;
  @ApiProperty()
  dialect!: string;
  @ApiProperty({ type: 'integer', description: 'what the caller got; 499: the caller left' })
  status!: number;
  @ApiProperty({ ...count, description: 'what the provider answered' })
  upstreamStatus!: number | null;
  @ApiProperty({ ...text, description: 'our own error, such as upstream_timeout' })
  error!: string | null;
  @ApiProperty()
  provider!: string;
  @ApiProperty({ description: 'as sent to the provider' })
  model!: string;
  @ApiProperty({ description: 'as the caller wrote it' })
  modelRequested!: string;
  @ApiProperty({ description: 'name of the virtual key' })
  key!: string;
  @ApiProperty()
  keyId!: string;
  @ApiProperty(text)
  team!: string | null;
  @ApiProperty({ ...text, description: 'the user who owns the key' })
  user!: string | null;
  @ApiProperty({ ...text, description: 'the application that owns the key' })
  app!: string | null;
  @ApiProperty({ type: [String] })
  tags!: readonly string[];
  @ApiProperty()
  stream!: boolean;
  @ApiProperty({ ...count, description: 'cached tokens included' })
  inputTokens!: number | null;
  @ApiProperty(count)
  cachedInputTokens!: number | null;
  @ApiProperty(count)
  cacheWrite5mTokens!: number | null;
  @ApiProperty(count)
  cacheWrite1hTokens!: number | null;
  @ApiProperty({ ...count, description: 'reasoning included' })
  outputTokens!: number | null;
  @ApiProperty(count)
  reasoningTokens!: number | null;
  @ApiProperty(count)
  webSearchRequests!: number | null;
  @ApiProperty({ enum: ['measured', 'partial', 'none'], description: 'partial: seen before the answer broke off' })
  usageSource!: string;
  @ApiProperty({ ...text, description: 'such as priority or flex; null: the standard tier' })
  serviceTier!: string | null;
  @ApiProperty({ description: 'exact decimal, such as 0.00185; after a recost the corrected one' })
  costUsd!: string;
  @ApiProperty({ ...text, description: 'version of the prices of costUsd; null: the model has no price' })
  priceVersion!: string | null;
  @ApiProperty({ type: [String], description: 'why the cost is an estimate, such as tier_price; empty: it is exact' })
  costEstimates!: readonly string[];
  @ApiProperty({ ...text, description: 'what was booked and charged, where a recost found another cost' })
  bookedCostUsd!: string | null;
  @ApiProperty({ ...text, description: 'version of the prices of bookedCostUsd' })
  bookedPriceVersion!: string | null;
  @ApiProperty()
  latencyMs!: number;
  @ApiProperty({ type: Number, nullable: true })
  firstByteMs!: number | null;
  @ApiProperty({ type: 'integer' })
  attempts!: number;
  @ApiProperty({ ...text, description: 'fallback chain the request went through' })
  chain!: string | null;
  @ApiProperty({ ...text, description: 'of a failed attempt with a row of its own: its request' })
  requestId!: string | null;
  @ApiProperty({ description: 'none: the cache was not asked' })
  cache!: string;
  @ApiProperty(text)
  traceId!: string | null;
}

export class LogListDto {
  @ApiProperty({ type: [LogItemDto] })
  items!: LogItemDto[];
  @ApiProperty(text)
  nextCursor!: string | null;
}

export class LogBodyDto {
  @ApiPropertyOptional({ description: 'the body, where it is UTF-8' })
  text?: string;
  @ApiPropertyOptional({ description: 'the body, where it is not' })
  base64?: string;
  @ApiProperty({ type: 'integer', description: 'length of what was kept' })
  bytes!: number;
  @ApiProperty({ description: 'it was longer and has been cut' })
  truncated!: boolean;
}

export class LogBodiesDto {
  @ApiProperty({ type: LogBodyDto })
  request!: LogBodyDto;
  @ApiProperty({ type: LogBodyDto })
  response!: LogBodyDto;
}

const REASONS: readonly NoBodiesReason[] = ['pending', 'not_archived', 'expired', 'unavailable', 'not_allowed'];

/** A call with all there is about it. */
export class LogDetailDto extends LogItemDto {
  @ApiProperty({ ...text, description: 'the usage object exactly as the provider sent it' })
  usageRaw!: string | null;
  @ApiProperty({ type: LogBodiesDto, nullable: true })
  bodies!: LogBodiesDto | null;
  @ApiProperty({ enum: REASONS, nullable: true, description: 'why there are no bodies' })
  bodiesReason!: NoBodiesReason | null;
}
