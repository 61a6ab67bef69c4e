import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Put, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Change,
  CurrentPrincipal,
  ListQueryDto,
  Require,
  type AdminPrincipal,
  type ChangeRequest,
} from '#libs/http/index.js';
import { answerVersion, REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { ChainAdmin } from '../chain-admin.js';
import {
  ChainDto,
  ChainListDto,
  ChainWaitQueryDto,
  CreateChainDto,
  ReplaceChainDto,
  UpdateChainDto,
} from './chains.dto.js';
import { toChainDto, toWritten } from './chains.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag; 409 when it was changed since' };

/** Fallback chains (RTE-1). Each is found by its id or its name. */
@ApiTags('routing')
@Controller('api/routing/fallback-chains')
export class ChainsController {
  constructor(
    @Inject(ChainAdmin) private readonly chains: ChainAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
    @Inject(REGISTRY_FEED) private readonly feed: RegistryFeed,
  ) {}

  @Post()
  @Require('routing:write')
  @ApiCreatedResponse({ type: ChainDto })
  async create(
    @Change() { orgId, origin }: ChangeRequest,
    @Body() body: CreateChainDto,
    @Query() { wait }: ChainWaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ChainDto> {
    const { name, ...parts } = toWritten(body);
    const view = await this.chains.create(orgId, String(name), parts, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toChainDto(view);
  }

  /** By name, those of the file among them. */
  @Get()
  @Require('routing:read')
  @ApiOkResponse({ type: ChainListDto })
  list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): ChainListDto {
    const { items, nextCursor } = this.chains.list(orgId, query.limit, query.cursor);
    return { items: items.map(toChainDto), nextCursor };
  }

  @Get(':id')
  @Require('routing:read')
  @ApiOkResponse({ type: ChainDto })
  async get(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ChainDto> {
    const view = this.chains.get(orgId, id);
    await answerVersion(reply, view.version, this.writer, undefined);
    return toChainDto(view);
  }

  /** Replaces the chain: what is left out takes its default. */
  @Put(':id')
  @Require('routing:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: ChainDto })
  async replace(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Body() body: ReplaceChainDto,
    @Query() { wait }: ChainWaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ChainDto> {
    const view = await this.chains.update({ orgId, id, expectedVersion }, toWritten(body), false, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toChainDto(view);
  }

  /** Changes the parts that are given, each as a whole. */
  @Patch(':id')
  @Require('routing:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: ChainDto })
  async update(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Body() body: UpdateChainDto,
    @Query() { wait }: ChainWaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ChainDto> {
    const view = await this.chains.update({ orgId, id, expectedVersion }, toWritten(body), true, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toChainDto(view);
  }

  /** Refused with 409 while another chain has it as a target, or a key or team names it. */
  @Delete(':id')
  @HttpCode(204)
  @Require('routing:write')
  @ApiHeader(ifMatch)
  @ApiNoContentResponse()
  async remove(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Query() { wait }: ChainWaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    await this.chains.remove({ orgId, id, expectedVersion }, origin);
    // A document that is gone has no version: what this replica runs now is at least the one without it.
    if (wait === 'applied') await answerVersion(reply, this.feed.current().version, this.writer, wait);
  }
}
