import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
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
import { KeyAdmin } from '../key-admin.js';
import { KeyAnswers } from './key-answers.js';
import { CreatedKeyDto, CreateKeyDto, KeyDto, KeyListDto, UpdateKeyDto } from './keys.dto.js';
import { toChanges, toSettings } from './keys.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag of the key; 409 when it was changed since' };

/** Virtual keys (KEY-1). */
@ApiTags('keys')
@Controller('api/keys')
export class KeysController {
  constructor(
    @Inject(KeyAdmin) private readonly keys: KeyAdmin,
    @Inject(KeyAnswers) private readonly answers: KeyAnswers,
  ) {}

  @Post()
  @Require('keys:write')
  @ApiCreatedResponse({ type: CreatedKeyDto })
  async create(
    @Change() editor: ChangeRequest,
    @Body() body: CreateKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedKeyDto> {
    return this.answers.made(editor.orgId, await this.keys.create(editor, toSettings(body)), reply, wait);
  }

  @Get()
  @Require('keys:read')
  @ApiOkResponse({ type: KeyListDto })
  async list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): Promise<KeyListDto> {
    const { items, nextCursor } = this.keys.list(orgId, query.limit, query.cursor);
    return { items: await this.answers.shown(orgId, items), nextCursor };
  }

  @Get(':id')
  @Require('keys:read')
  @ApiOkResponse({ type: KeyDto })
  get(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    return this.answers.one(orgId, this.keys.get(orgId, id), reply, undefined);
  }

  @Patch(':id')
  @Require('keys:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: KeyDto })
  async update(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Body() body: UpdateKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const { orgId, expectedVersion } = editor;
    const view = await this.keys.update(editor, { id, expectedVersion }, toChanges(body));
    return this.answers.one(orgId, view, reply, wait);
  }

  /** Revokes the key: it stops working and stays listed. */
  @Delete(':id')
  @HttpCode(200)
  @Require('keys:write')
  @ApiHeader(ifMatch)
  @ApiOkResponse({ type: KeyDto })
  async revoke(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const { orgId, expectedVersion } = editor;
    return this.answers.one(orgId, await this.keys.revoke(editor, { id, expectedVersion }), reply, wait);
  }
}
