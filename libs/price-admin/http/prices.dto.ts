import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsNumber, IsOptional, Max, MaxLength, Min, ValidateBy, ValidateIf } from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';

/** No price is near this; a slip of the keyboard is. */
const MAX_USD = 1_000_000;
const isGivenAndNotNull = (_owner: unknown, value: unknown): boolean => value !== undefined && value !== null;

function rule(name: string, message: string, isValid: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({ name, validator: { validate: isValid, defaultMessage: () => message } });
}

const TARGET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\/[\x21-\x7e]{1,256}$/;
const isTarget = (value: unknown): boolean => typeof value === 'string' && TARGET.test(value);

const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** A day of the calendar (its beginning in UTC), or a moment with offset; from 2000 to 2100. */
export function effectiveMs(text: string): number | null {
  const day = DAY.test(text) ? text : INSTANT.exec(text)?.[1];
  if (day === undefined) return null;
  const ms = Date.parse(DAY.test(text) ? `${text}T00:00:00Z` : text);
  const [, year = 0, month = 0, date = 0] = (DAY.exec(day) ?? []).map(Number);
  const isOfCalendar =
    month >= 1 && month <= 12 && date >= 1 && date <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  return isOfCalendar && year >= 2000 && year <= 2100 && Number.isFinite(ms) ? ms : null;
}

const usd = (description: string): PropertyDecorator =>
  ApiPropertyOptional({ type: Number, nullable: true, description });

/** Prices in USD per million tokens, in the names of the configuration file. */
class PriceSetDto {
  @ApiProperty({ type: Number, minimum: 0, description: 'USD per million input tokens' })
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  input!: number;

  @ApiProperty({ type: Number, minimum: 0, description: 'USD per million output tokens, reasoning included' })
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  output!: number;

  @usd('read from the prompt cache; default: the input price, a tenth of it on Anthropic providers')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  cached_input?: number | null;

  @usd('written to the prompt cache for its short time')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  cache_write_5m?: number | null;

  @usd('written to the prompt cache for its long time')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  cache_write_1h?: number | null;

  @usd('default: as text')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  input_audio?: number | null;

  @usd('default: as text')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  output_audio?: number | null;

  @usd('default: as text')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  input_image?: number | null;

  @usd('default: as text')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  output_image?: number | null;

  @usd('USD per thousand searches run by the provider; default: the published fee')
  @ValidateIf(isGivenAndNotNull)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(MAX_USD)
  web_search?: number | null;
}

/** A price override, in the shape of `prices` of the configuration file. */
export class CreatePriceDto extends PriceSetDto {
  @ApiProperty({ description: 'provider/model, as sent to the provider', example: 'openai/gpt-5-mini' })
  @rule('isTarget', 'must be provider/model, such as openai/gpt-5-mini', isTarget)
  model!: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'first day in force (UTC), or a moment with offset; default: now. The past is allowed: see recost',
    example: '2027-01-01',
  })
  @ValidateIf(isGivenAndNotNull)
  @rule(
    'isEffective',
    'must be a day such as 2027-01-31, or a moment with offset such as 2027-01-31T12:00:00Z',
    (value) => typeof value === 'string' && effectiveMs(value) !== null,
  )
  from?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 512 })
  @ValidateIf(isGivenAndNotNull)
  @rule(
    'isNote',
    'must be text without control characters',
    (value) => typeof value === 'string' && !/\p{C}/u.test(value),
  )
  @MaxLength(512)
  note?: string | null;
}

export class ListPricesDto extends ListQueryDto {
  @ApiPropertyOptional({ description: 'only this provider/model; with what the price table lists for it' })
  @IsOptional()
  @rule('isTarget', 'must be provider/model, such as openai/gpt-5-mini', isTarget)
  model?: string;
}

/** `?wait=applied`: answer when every living replica has taken the change over (5 s at most). */
export class WaitForPricesDto {
  @ApiPropertyOptional({ enum: ['applied'] })
  @IsOptional()
  @IsIn(['applied'])
  wait?: 'applied';
}

const price = { type: Number, nullable: true } as const;

/** One override. */
export class PriceDto {
  @ApiProperty()
  id!: string;
  @ApiProperty({ description: 'provider/model' })
  model!: string;
  @ApiProperty({ format: 'date-time', description: 'in force from then on' })
  from!: string;
  @ApiProperty({ description: 'in force now' })
  in_force!: boolean;
  @ApiProperty({ type: Number })
  input!: number;
  @ApiProperty({ type: Number })
  output!: number;
  @ApiProperty(price)
  cached_input!: number | null;
  @ApiProperty(price)
  cache_write_5m!: number | null;
  @ApiProperty(price)
  cache_write_1h!: number | null;
  @ApiProperty(price)
  input_audio!: number | null;
  @ApiProperty(price)
  output_audio!: number | null;
  @ApiProperty(price)
  input_image!: number | null;
  @ApiProperty(price)
  output_image!: number | null;
  @ApiProperty(price)
  web_search!: number | null;
  @ApiProperty({ type: String, nullable: true })
  note!: string | null;
  @ApiProperty({ enum: ['api', 'file'], description: 'file: declared in smartflow.yaml and changed only there' })
  source!: 'api' | 'file';
  @ApiProperty({ type: 'integer', description: 'as in the ETag; send it in If-Match' })
  version!: number;
  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  created_at!: string | null;
}

/** One published price. */
export class ListedPriceDto {
  @ApiProperty({ type: String, nullable: true, description: 'null: the standard tier' })
  service_tier!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null: from the beginning' })
  from!: string | null;
  @ApiProperty({ type: 'integer', description: 'for calls with more input tokens than this; -1: for all' })
  above_tokens!: number;
  @ApiProperty({ type: Number })
  input!: number;
  @ApiProperty(price)
  output!: number | null;
  @ApiProperty({ type: Number })
  cached_input!: number;
  @ApiProperty({ type: Number })
  cache_write_5m!: number;
  @ApiProperty({ type: Number })
  cache_write_1h!: number;
  @ApiProperty({ type: Number, description: 'USD per thousand; 0: no fee of its own is published' })
  web_search!: number;
}

/** Prices of one model: what admins set, latest first, and what is published. */
export class ModelPricesDto {
  @ApiProperty({ description: 'provider/model' })
  model!: string;
  @ApiProperty({ type: [PriceDto] })
  overrides!: readonly PriceDto[];
  @ApiProperty({ type: [ListedPriceDto], description: 'empty: no price is published' })
  listed!: readonly ListedPriceDto[];
}

export class ModelPricesListDto {
  @ApiProperty({ type: [ModelPricesDto] })
  items!: readonly ModelPricesDto[];
  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
