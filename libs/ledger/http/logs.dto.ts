import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsISO8601, IsOptional, Length, Matches } from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';

/** A day (UTC) or a moment with its zone; the other forms of ISO 8601 mean different things to different readers. */
const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
const moment = { message: 'must be a day such as 2026-11-30 or a moment such as 2026-11-30T12:00:00Z' };
const VISIBLE = /^[^\p{C}]+$/u;
const visible = { message: 'must not contain control characters' };

/** Query of `GET /api/logs`. Every given filter must hold. */
export class ListLogsDto extends ListQueryDto {
  @ApiPropertyOptional({ description: 'calls from this moment on: a day or a moment with its zone' })
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  from?: string;

  @ApiPropertyOptional({ description: 'calls before this moment' })
  @IsOptional()
  @Matches(MOMENT, moment)
  @IsISO8601({ strict: true }, moment)
  to?: string;

  @ApiPropertyOptional({ description: 'as requested or as served' })
  @IsOptional()
  @Length(1, 512)
  @Matches(VISIBLE, visible)
  model?: string;

  @ApiPropertyOptional({ description: 'name of the provider' })
  @IsOptional()
  @Length(1, 128)
  @Matches(VISIBLE, visible)
  provider?: string;

  @ApiPropertyOptional({ description: 'id (key_…) or name of the virtual key' })
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  key?: string;

  @ApiPropertyOptional({ description: 'name of the team' })
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  team?: string;

  @ApiPropertyOptional({ description: 'name of the user who owns the key' })
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  user?: string;

  @ApiPropertyOptional({ description: 'name of the application that owns the key' })
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  app?: string;

  @ApiPropertyOptional({ description: 'a status such as 429, or a class such as 4xx' })
  @IsOptional()
  @Matches(/^[1-9](\d\d|xx)$/, { message: 'must be a status such as 429 or a class such as 4xx' })
  status?: string;

  @ApiPropertyOptional({ description: 'such as /v1/chat/completions' })
  @IsOptional()
  @Length(1, 256)
  @Matches(VISIBLE, visible)
  route?: string;

  @ApiPropertyOptional({ description: 'our own error, such as upstream_timeout' })
  @IsOptional()
  @Matches(/^[a-z_]{1,64}$/, { message: 'must be an error code such as upstream_timeout' })
  error?: string;
}
