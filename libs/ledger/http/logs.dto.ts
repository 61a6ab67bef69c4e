import { Type } from 'class-transformer';
import { IsInt, IsISO8601, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';

/** A day (UTC) or a moment with its zone; the other forms of ISO 8601 mean different things to different readers. */
const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
const moment = { message: 'must be a day such as 2026-11-30 or a moment such as 2026-11-30T12:00:00Z' };
const VISIBLE = /^[^\p{C}]+$/u;
const visible = { message: 'must not contain control characters' };

/** Query of `GET /api/logs`. Every given filter must hold. */
export class ListLogsQuery {
  /** Items per page. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;

  /** `nextCursor` of the page before. */
  @IsOptional()
  @IsString()
  @Length(1, 256)
  cursor?: string;

  /** Calls from this moment on (ISO 8601). */
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  from?: string;

  /** Calls before this moment (ISO 8601). */
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  to?: string;

  /** Model as requested or as served. */
  @IsOptional()
  @Length(1, 512)
  @Matches(VISIBLE, visible)
  model?: string;

  @IsOptional()
  @Length(1, 128)
  @Matches(VISIBLE, visible)
  provider?: string;

  /** Id (`key_…`) or name of the virtual key. */
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  key?: string;

  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  team?: string;

  /** A status such as `429`, or a class such as `4xx`. */
  @IsOptional()
  @Matches(/^[1-9](\d\d|xx)$/, { message: 'must be a status such as 429 or a class such as 4xx' })
  status?: string;

  /** Route such as `/v1/chat/completions`. */
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  route?: string;

  /** Code of our own error, such as `upstream_timeout`. */
  @IsOptional()
  @Matches(/^[a-z_]{1,64}$/, { message: 'must be an error code such as upstream_timeout' })
  error?: string;
}
