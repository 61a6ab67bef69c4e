import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Matches } from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';

export class ListAuditQuery extends ListQueryDto {
  @ApiPropertyOptional({ description: '`nextCursor` of the page before' })
  @IsOptional()
  @Matches(/^[1-9]\d{0,14}$/, { message: 'is not one of ours' })
  declare cursor?: string;
}

export class AuditItemDto {
  @ApiProperty({ type: 'integer', description: 'place in the chain, from 1' })
  seq!: number;

  @ApiProperty({ type: 'string', format: 'date-time' })
  at!: unknown;

  @ApiProperty({ example: 'key.create' })
  action!: unknown;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, description: 'kind, id and name' })
  actor!: unknown;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, description: 'kind, id and name' })
  object!: unknown;

  @ApiProperty({ type: 'integer', nullable: true, description: 'registry version that the change made' })
  version!: unknown;

  @ApiProperty({ type: String, nullable: true })
  ip!: unknown;

  @ApiProperty({ type: String, nullable: true })
  userAgent!: unknown;

  @ApiProperty({ type: String, nullable: true })
  requestId!: unknown;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, description: 'without secrets' })
  before!: unknown;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, description: 'without secrets' })
  after!: unknown;

  @ApiProperty({ description: 'SHA-256 over the hash before and this entry' })
  hash!: string;
}

export class AuditListDto {
  @ApiProperty({ type: [AuditItemDto] })
  items!: readonly AuditItemDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}

export class AuditVerdictDto {
  @ApiProperty({ type: 'integer', description: 'entries that fit' })
  entries!: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'first place that does not fit; null: the chain holds' })
  brokenAt!: number | null;

  @ApiProperty({ type: String, nullable: true })
  reason!: string | null;
}
