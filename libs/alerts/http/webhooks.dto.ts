import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  IsString,
  Matches,
  MaxLength,
  ValidateIf,
} from 'class-validator';
import { ListQueryDto } from '#libs/http/index.js';
import { ALERT_EVENTS, type AlertEvent, type AlertKind } from '../alert.js';
import { DELIVERY_STATES, type DeliveryState } from '../store/alert-outbox.js';

const NAME = /^(?! )[^\p{C}\p{Zl}\p{Zp}]{1,128}(?<! )$/u;
const name = { message: 'name must be visible text of 1 to 128 characters' };
const KINDS = [...ALERT_EVENTS, 'webhook.test'];

/** What a new webhook and a change have in common. */
class WebhookFieldsDto {
  @ApiPropertyOptional({
    isArray: true,
    enum: ALERT_EVENTS,
    description: 'what it is told; absent or empty: everything',
  })
  @ValidateIf((_fields: unknown, value: unknown) => value !== undefined)
  @IsArray()
  @ArrayMaxSize(ALERT_EVENTS.length)
  @ArrayUnique()
  @IsIn(ALERT_EVENTS, { each: true })
  events?: AlertEvent[];

  @ApiPropertyOptional({ default: true, description: 'false: it is told nothing, and what waits for it is dropped' })
  @ValidateIf((_fields: unknown, value: unknown) => value !== undefined)
  @IsBoolean()
  enabled?: boolean;
}

const url = {
  maxLength: 2048,
  description: 'https, or http to an address that `egress.allow` lists',
  example: 'https://hooks.example/smartflow',
};

/** A new webhook. */
export class CreateWebhookDto extends WebhookFieldsDto {
  @ApiProperty({ maxLength: 128 })
  @Matches(NAME, name)
  name!: string;

  @ApiProperty(url)
  @IsString()
  @MaxLength(2048)
  url!: string;
}

/** What changes; what is absent stays. */
export class UpdateWebhookDto extends WebhookFieldsDto {
  @ApiPropertyOptional({ maxLength: 128 })
  @ValidateIf((_fields: unknown, value: unknown) => value !== undefined)
  @Matches(NAME, name)
  name?: string;

  @ApiPropertyOptional(url)
  @ValidateIf((_fields: unknown, value: unknown) => value !== undefined)
  @IsString()
  @MaxLength(2048)
  url?: string;
}

/** A webhook without its secret. */
export class WebhookDto {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ description: 'without its path for who may not change it: it may be a credential' })
  url!: string;

  @ApiProperty({ isArray: true, enum: ALERT_EVENTS, description: 'empty: everything' })
  events!: readonly AlertEvent[];

  @ApiProperty()
  enabled!: boolean;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at!: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at!: string;

  @ApiProperty({ type: 'integer' })
  version!: number;
}

export class CreatedWebhookDto extends WebhookDto {
  @ApiProperty({ description: 'what messages are signed with, shown here and never again', example: 'whsec_…' })
  secret!: string;
}

export class WebhookListDto {
  @ApiProperty({ type: [WebhookDto] })
  items!: readonly WebhookDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}

/** Query of `GET /api/webhooks/{id}/deliveries`. */
export class DeliveriesQueryDto extends ListQueryDto {
  @ApiPropertyOptional({ enum: DELIVERY_STATES, description: '`failed`: given up' })
  @IsOptional()
  @IsIn(DELIVERY_STATES)
  state?: DeliveryState;
}

const instant = { type: String, format: 'date-time', nullable: true } as const;

/** What became of one alert on its way to one webhook. */
export class DeliveryDto {
  @ApiProperty({ description: '`webhook-id` of the message', example: 'evt_…' })
  id!: string;

  @ApiProperty({ enum: KINDS })
  event!: AlertKind;

  @ApiProperty()
  subject!: string;

  @ApiProperty({
    enum: DELIVERY_STATES,
    description: '`failed`: given up after two days. `dropped`: never to be sent, see `error`',
  })
  state!: DeliveryState;

  @ApiProperty({ type: 'integer' })
  attempts!: number;

  @ApiProperty({ ...instant, description: 'of the last attempt' })
  tried_at!: string | null;

  @ApiProperty({ ...instant, description: 'of the next attempt at the earliest' })
  next_at!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'HTTP status of the last answer' })
  status!: number | null;

  @ApiProperty({ type: String, nullable: true })
  error!: string | null;
}

export class DeliveryListDto {
  @ApiProperty({ type: [DeliveryDto] })
  items!: readonly DeliveryDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}

/** Something that was noticed, also where no webhook wants it. */
export class AlertDto {
  @ApiProperty({ example: 'evt_…' })
  id!: string;

  @ApiProperty({ enum: KINDS })
  event!: AlertKind;

  @ApiProperty({ type: String, format: 'date-time' })
  time!: string;

  @ApiProperty({ description: 'one line' })
  subject!: string;

  @ApiProperty({ description: 'plain text, fit for an e-mail' })
  text!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'depends on `event`' })
  data!: Readonly<Record<string, unknown>>;
}

export class AlertListDto {
  @ApiProperty({ type: [AlertDto] })
  items!: readonly AlertDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
