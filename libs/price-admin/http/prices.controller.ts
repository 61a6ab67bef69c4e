import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Change, CurrentPrincipal, Require, type AdminPrincipal, type ChangeRequest } from '#libs/http/index.js';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import { PriceAdmin } from '../price-admin.js';
import { pageByName } from './page-by-name.js';
import { CreatePriceDto, ListPricesDto, ModelPricesListDto, PriceDto, WaitForPricesDto } from './prices.dto.js';
import { splitTarget, toModelPricesDto, toPriceDto, toWish } from './prices.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag of the price; 409 when it was changed since' };

/** Price overrides with effective dates (KEY-5). */
@ApiTags('prices')
@Controller('api/prices')
export class PricesController {
  constructor(
    @Inject(PriceAdmin) private readonly prices: PriceAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  /** Sets a price from a moment on; the one before stays in force until then. */
  @Post()
  @Require('prices:write')
  @ApiCreatedResponse({ type: PriceDto })
  async create(
    @Change() { orgId, origin }: ChangeRequest,
    @Body() body: CreatePriceDto,
    @Query() { wait }: WaitForPricesDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PriceDto> {
    const view = await this.prices.create(orgId, toWish(body), origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toPriceDto(view);
  }

  /** Models with an override, by name, each with its whole history and its published prices. */
  @Get()
  @Require('prices:read')
  @ApiOkResponse({ type: ModelPricesListDto })
  list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListPricesDto): ModelPricesListDto {
    const target = query.model === undefined ? null : splitTarget(query.model);
    const items = this.prices.list(orgId, target).map(toModelPricesDto);
    return pageByName(items, ({ model }) => model, query.limit, query.cursor);
  }

  @Get(':id')
  @Require('prices:read')
  @ApiOkResponse({ type: PriceDto })
  async get(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PriceDto> {
    const view = this.prices.get(orgId, id);
    await answerVersion(reply, view.version, this.writer, undefined);
    return toPriceDto(view);
  }

  /** Takes the override away. Calls that were billed with it keep their cost. */
  @Delete(':id')
  @HttpCode(204)
  @Require('prices:write')
  @ApiHeader(ifMatch)
  @ApiNoContentResponse()
  async remove(@Change() { orgId, origin, expectedVersion }: ChangeRequest, @Param('id') id: string): Promise<void> {
    await this.prices.remove({ orgId, id }, expectedVersion, origin);
  }
}
