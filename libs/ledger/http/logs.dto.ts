import { Type } from 'class-transformer';
import { IsInt, IsISO8601, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';

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
  @IsISO8601({ strict: true })
  from?: string;

  /** Calls before this moment (ISO 8601). */
  @IsOptional()
  @IsISO8601({ strict: true })
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
