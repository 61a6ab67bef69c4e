import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Change, Require, WaitQueryDto, type ChangeRequest } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import { KeyAdmin } from '../key-admin.js';
import { KeyAnswers } from './key-answers.js';
import {
  BlockKeyDto,
  BulkKeysDto,
  BulkKeysResultDto,
  CloneKeyDto,
  CreatedKeyDto,
  KeyDto,
  RotateKeyDto,
} from './keys.dto.js';
import { toChanges, toKeyDto, toSettings } from './keys.presenter.js';

/** What can be done with a key beside changing its settings. */
@ApiTags('keys')
@Controller('api/keys')
export class KeyActionsController {
  constructor(
    @Inject(KeyAdmin) private readonly keys: KeyAdmin,
    @Inject(KeyAnswers) private readonly answers: KeyAnswers,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  /** Makes, blocks, unblocks or revokes many keys, all or none; the answer to a refusal names every fault. */
  @Post('bulk')
  @HttpCode(200)
  @Require('keys:write')
  @ApiOkResponse({ type: BulkKeysResultDto })
  async bulk(
    @Change() editor: ChangeRequest,
    @Body() body: BulkKeysDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BulkKeysResultDto> {
    const { action, keys = [], ids = [], reason = null } = body;
    const unused = action === 'create' ? 'ids' : 'keys';
    if (body[unused] !== undefined) {
      throw new AppError('invalid_request', { text: `"${unused}" does not go with ${action}.`, param: unused });
    }
    if (action === 'create') {
      const made = await this.keys.createAll(editor, keys.map(toSettings), (index) => `keys[${index}].`);
      await answerVersion(reply, Math.max(...made.map(({ view }) => view.version)), this.writer, wait);
      return { items: made.map(({ view, secret }) => ({ ...toKeyDto(view, undefined), key: secret.reveal() })) };
    }
    const views = await this.keys.changeMany(editor, ids, action, reason);
    await answerVersion(reply, Math.max(...views.map(({ version }) => version)), this.writer, wait);
    return { items: await this.answers.shown(editor.orgId, views) };
  }

  /** Gives the key a new secret, shown once; the old one works for `grace_s` longer. */
  @Post(':id/rotate')
  @HttpCode(200)
  @Require('keys:write')
  @ApiOkResponse({ type: CreatedKeyDto })
  async rotate(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Body() { grace_s: graceS = 0 }: RotateKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedKeyDto> {
    const { expectedVersion } = editor;
    return this.answers.made(
      editor.orgId,
      await this.keys.rotate(editor, { id, expectedVersion }, graceS * 1000),
      reply,
      wait,
    );
  }

  /** Stops the key until it is unblocked. */
  @Post(':id/block')
  @HttpCode(200)
  @Require('keys:write')
  @ApiOkResponse({ type: KeyDto })
  async block(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Body() { reason = null }: BlockKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const { orgId, expectedVersion } = editor;
    return this.answers.one(orgId, await this.keys.block(editor, { id, expectedVersion }, reason), reply, wait);
  }

  @Post(':id/unblock')
  @HttpCode(200)
  @Require('keys:write')
  @ApiOkResponse({ type: KeyDto })
  async unblock(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<KeyDto> {
    const { orgId, expectedVersion } = editor;
    return this.answers.one(orgId, await this.keys.unblock(editor, { id, expectedVersion }), reply, wait);
  }

  /** Makes a key with the settings of another and a secret of its own. */
  @Post(':id/clone')
  @Require('keys:write')
  @ApiCreatedResponse({ type: CreatedKeyDto })
  async clone(
    @Change() editor: ChangeRequest,
    @Param('id') id: string,
    @Body() body: CloneKeyDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedKeyDto> {
    return this.answers.made(editor.orgId, await this.keys.clone(editor, id, toChanges(body)), reply, wait);
  }
}
