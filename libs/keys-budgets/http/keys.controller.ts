import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Change,
  CurrentPrincipal,
  ListQueryDto,
  Require,
  type AdminPrincipal,
  type ChangeRequest,
} from '#libs/http/index.js';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import { KeyAdmin } from '../key-admin.js';
import { CreatedKeyDto, CreateKeyDto, KeyDto, KeyListDto, UpdateKeyDto, WaitQueryDto } from './keys.dto.js';
import { toChanges, toKeyDto, toSettings } from './keys.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag of the key; 409 when it was changed since' };

/** Virtual keys (KEY-1). */
@ApiTags('keys')
@Controller('api/keys')
export class KeysController {
  constructor(
    @Inject(KeyAdmin) private readonly keys: KeyAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  @Post()
  @Require('keys:write')
  @ApiCreatedResponse({ type: CreatedKeyDto })
  async create(
    @Change() { orgId, origin }: ChangeRequest,
    @Body() body: CreateKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedKeyDto> {
    const { view, secret } = await this.keys.create(orgId, toSettings(body), origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return Object.assign(toKeyDto(view), { key: secret.reveal() });
  }

  @Get()
  @Require('keys:read')
  @ApiOkResponse({ type: KeyListDto })
  list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): KeyListDto {
    const { items, nextCursor } = this.keys.list(orgId, query.limit, query.cursor);
    return { items: items.map(toKeyDto), nextCursor };
  }

  @Get(':id')
  @Require('keys:read')
  @ApiOkResponse({ type: KeyDto })
  async get(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const view = this.keys.get(orgId, id);
    await answerVersion(reply, view.version, this.writer, undefined);
    return toKeyDto(view);
  }

  @Patch(':id')
  @Require('keys:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: KeyDto })
  async update(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Body() body: UpdateKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const view = await this.keys.update({ orgId, id }, expectedVersion, toChanges(body), origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toKeyDto(view);
  }

  /** Revokes the key: it stops working and stays listed. */
  @Delete(':id')
  @HttpCode(200)
  @Require('keys:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: KeyDto })
  async revoke(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const view = await this.keys.revoke({ orgId, id }, expectedVersion, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toKeyDto(view);
  }
}
