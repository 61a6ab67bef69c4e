import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, ListQueryDto, Require, type AdminPrincipal } from '#libs/http/index.js';
import type { AlertOutbox } from '../store/alert-outbox.js';
import { ALERT_OUTBOX } from '../tokens.js';
import { AlertListDto } from './webhooks.dto.js';
import { toAlertDto } from './webhooks.presenter.js';

/** What was noticed, whether or not a webhook is told (KEY-7). */
@ApiTags('alerts')
@Controller('api/alerts')
export class AlertsController {
  constructor(@Inject(ALERT_OUTBOX) private readonly outbox: AlertOutbox) {}

  /** Newest first. */
  @Get()
  @Require('alerts:read')
  @ApiOkResponse({ type: AlertListDto })
  async list(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Query() { limit, cursor }: ListQueryDto,
  ): Promise<AlertListDto> {
    const { items, nextCursor } = await this.outbox.alerts(orgId, limit, cursor);
    return { items: items.map(toAlertDto), nextCursor };
  }
}
