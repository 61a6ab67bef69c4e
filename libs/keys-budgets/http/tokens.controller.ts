import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  Change,
  CurrentPrincipal,
  isWithin,
  ListQueryDto,
  Require,
  WaitQueryDto,
  type AdminPrincipal,
  type ChangeRequest,
} from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import { TokenAdmin, type TokenView } from '../token-admin.js';
import { toInstant } from './keys.presenter.js';
import { CreatedTokenDto, CreateTokenDto, TokenDto, TokenListDto } from './tokens.dto.js';

/** API tokens for scripts (CFG-3). */
@ApiTags('tokens')
@Controller('api/tokens')
export class TokensController {
  constructor(
    @Inject(TokenAdmin) private readonly tokens: TokenAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  @Post()
  @Require('tokens:write')
  @ApiCreatedResponse({ type: CreatedTokenDto })
  async create(
    @Change() { orgId, origin, role }: ChangeRequest,
    @Body() body: CreateTokenDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedTokenDto> {
    if (!isWithin(body.role, role)) {
      throw new AppError('permission_denied', {
        text: 'The token would have more rights than you have.',
        param: 'role',
      });
    }
    const expiresAtMs = body.expires_at == null ? null : Date.parse(body.expires_at);
    const wish = { name: body.name, role: body.role, expiresAtMs };
    const { view, secret } = await this.tokens.create(orgId, wish, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return Object.assign(toTokenDto(view), { token: secret.reveal() });
  }

  @Get()
  @Require('tokens:read')
  @ApiOkResponse({ type: TokenListDto })
  list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): TokenListDto {
    const { items, nextCursor } = this.tokens.list(orgId, query.limit, query.cursor);
    return { items: items.map(toTokenDto), nextCursor };
  }

  @Get(':id')
  @Require('tokens:read')
  @ApiOkResponse({ type: TokenDto })
  get(@CurrentPrincipal() { orgId }: AdminPrincipal, @Param('id') id: string): TokenDto {
    return toTokenDto(this.tokens.get(orgId, id));
  }

  /** Revokes the token: it stops working and stays listed. */
  @Delete(':id')
  @HttpCode(200)
  @Require('tokens:write')
  @ApiOkResponse({ type: TokenDto })
  async revoke(
    @Change() { orgId, origin }: ChangeRequest,
    @Param('id') id: string,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenDto> {
    const view = await this.tokens.revoke(orgId, id, origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toTokenDto(view);
  }
}

function toTokenDto(view: TokenView): TokenDto {
  return {
    id: view.id,
    name: view.name,
    role: view.role,
    token_hint: view.hint,
    status: view.status,
    expires_at: toInstant(view.expiresAtMs),
    created_at: new Date(view.createdAtMs).toISOString(),
    revoked_at: toInstant(view.revokedAtMs),
    version: view.version,
  };
}
