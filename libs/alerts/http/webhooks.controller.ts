import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Change,
  CurrentPrincipal,
  ListQueryDto,
  Require,
  WaitQueryDto,
  type AdminPrincipal,
  type ChangeRequest,
} from '#libs/http/index.js';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import { WebhookAdmin } from '../webhook-admin.js';
import {
  CreatedWebhookDto,
  CreateWebhookDto,
  DeliveriesQueryDto,
  DeliveryListDto,
  UpdateWebhookDto,
  WebhookDto,
  WebhookListDto,
} from './webhooks.dto.js';
import { toDeliveryDto, toWebhookDto } from './webhooks.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag; 409 when it was changed since' };

/** Who is told when a budget reaches a threshold, a model has no price or a store is away (KEY-7). */
@ApiTags('webhooks')
@Controller('api/webhooks')
export class WebhooksController {
  constructor(
    @Inject(WebhookAdmin) private readonly webhooks: WebhookAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  @Post()
  @Require('webhooks:write')
  @ApiCreatedResponse({ type: CreatedWebhookDto })
  async create(
    @Change() { orgId, origin, role }: ChangeRequest,
    @Body() { name, url, events = [], enabled = true }: CreateWebhookDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedWebhookDto> {
    const { view, secret } = await this.webhooks.create(orgId, { name, url, events, enabled }, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return { ...toWebhookDto(view, role), secret: secret.reveal() };
  }

  @Get()
  @Require('webhooks:read')
  @ApiOkResponse({ type: WebhookListDto })
  list(@CurrentPrincipal() { orgId, role }: AdminPrincipal, @Query() query: ListQueryDto): WebhookListDto {
    const { items, nextCursor } = this.webhooks.list(orgId, query.limit, query.cursor);
    return { items: items.map((view) => toWebhookDto(view, role)), nextCursor };
  }

  @Get(':id')
  @Require('webhooks:read')
  @ApiOkResponse({ type: WebhookDto })
  async get(
    @CurrentPrincipal() { orgId, role }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookDto> {
    const view = this.webhooks.get(orgId, id);
    await answerVersion(reply, view.version, this.writer, undefined);
    return toWebhookDto(view, role);
  }

  @Patch(':id')
  @Require('webhooks:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: WebhookDto })
  async update(
    @Change() { orgId, origin, role, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Body() body: UpdateWebhookDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookDto> {
    const changes = Object.fromEntries(Object.entries({ ...body }).filter(([, value]) => value !== undefined));
    const view = await this.webhooks.update({ orgId, id, expectedVersion }, changes, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toWebhookDto(view, role);
  }

  /** What waits for it is dropped; its deliveries stay readable. */
  @Delete(':id')
  @HttpCode(204)
  @Require('webhooks:write')
  @ApiHeader(ifMatch)
  @ApiNoContentResponse()
  async remove(@Change() { orgId, origin, expectedVersion }: ChangeRequest, @Param('id') id: string): Promise<void> {
    await this.webhooks.remove({ orgId, id, expectedVersion }, origin);
  }

  /** Sends a test message, by the worker like any other; what became of it stands in the deliveries. */
  @Post(':id/test')
  @HttpCode(202)
  @Require('webhooks:write')
  @ApiAcceptedResponse()
  async test(@CurrentPrincipal() { orgId }: AdminPrincipal, @Param('id') id: string): Promise<void> {
    await this.webhooks.test(orgId, id);
  }

  /** What was sent or is to be sent, newest first. */
  @Get(':id/deliveries')
  @Require('webhooks:read')
  @ApiOkResponse({ type: DeliveryListDto })
  async deliveries(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Query() { limit, cursor, state }: DeliveriesQueryDto,
  ): Promise<DeliveryListDto> {
    const { items, nextCursor } = await this.webhooks.deliveries(orgId, id, { limit, cursor, state });
    return { items: items.map(toDeliveryDto), nextCursor };
  }
}
