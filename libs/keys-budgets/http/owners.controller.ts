import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
  type Type,
} from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
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
import { invalid } from '../invalid.js';
import { OwnerAdmin } from '../owner-admin.js';
import type { OwnerKind } from '../owner-document.js';
import {
  CreateOwnerDto,
  DeletedOwnerDto,
  DeleteOwnerQueryDto,
  OwnerDto,
  OwnerListDto,
  UpdateOwnerDto,
} from './owners.dto.js';
import { toOwnerChanges, toOwnerDto, toOwnerSettings } from './owners.presenter.js';

const ifMatch = { name: 'If-Match', required: false, description: 'ETag; 409 when it was changed since' };

/** The controllers of teams, users, apps and tags differ in their path and their permission. */
// oxlint-disable-next-line max-lines-per-function -- a class of short methods, made once per kind for its decorators
function ownersController(kind: OwnerKind, plural: 'teams' | 'users' | 'apps' | 'tags'): Type<object> {
  @ApiTags(plural)
  @Controller(`api/${plural}`)
  class OwnersController {
    constructor(
      @Inject(OwnerAdmin) private readonly owners: OwnerAdmin,
      @Inject(RegistryWriter) private readonly writer: RegistryWriter,
    ) {}

    @Post()
    @Require(`${plural}:write`)
    @ApiOperation({ operationId: `${plural}_create` })
    @ApiCreatedResponse({ type: OwnerDto })
    async create(
      @Change() { orgId, origin }: ChangeRequest,
      @Body() body: CreateOwnerDto,
      @Query() { wait }: WaitQueryDto,
      @Res({ passthrough: true }) reply: FastifyReply,
    ): Promise<OwnerDto> {
      refuseUnfit(kind, body);
      const view = await this.owners.create({ orgId, kind, name: body.name }, toOwnerSettings(body), origin);
      await answerVersion(reply, view.version, this.writer, wait);
      return toOwnerDto(view);
    }

    @Get()
    @Require(`${plural}:read`)
    @ApiOperation({ operationId: `${plural}_list` })
    @ApiOkResponse({ type: OwnerListDto })
    list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): OwnerListDto {
      const { items, nextCursor } = this.owners.list(orgId, kind, query.limit, query.cursor);
      return { items: items.map(toOwnerDto), nextCursor };
    }

    /** By id or by name. */
    @Get(':id')
    @Require(`${plural}:read`)
    @ApiOperation({ operationId: `${plural}_get` })
    @ApiOkResponse({ type: OwnerDto })
    async get(
      @CurrentPrincipal() { orgId }: AdminPrincipal,
      @Param('id') id: string,
      @Res({ passthrough: true }) reply: FastifyReply,
    ): Promise<OwnerDto> {
      const view = this.owners.get(orgId, kind, id);
      await answerVersion(reply, view.version, this.writer, undefined);
      return toOwnerDto(view);
    }

    @Patch(':id')
    @Require(`${plural}:write`)
    @ApiOperation({ operationId: `${plural}_update` })
    @ApiHeader(ifMatch)
    @ApiOkResponse({ type: OwnerDto })
    async update(
      @Change() { orgId, origin, expectedVersion }: ChangeRequest,
      @Param('id') id: string,
      @Body() body: UpdateOwnerDto,
      @Query() { wait }: WaitQueryDto,
      @Res({ passthrough: true }) reply: FastifyReply,
    ): Promise<OwnerDto> {
      refuseUnfit(kind, body);
      const view = await this.owners.update({ orgId, kind, id, expectedVersion }, toOwnerChanges(body), origin);
      await answerVersion(reply, view.version, this.writer, wait);
      return toOwnerDto(view);
    }

    /** Refused with 409 while keys name it (a tag: if it has a hard budget); `?cascade=block` blocks them in the same step. */
    @Delete(':id')
    @HttpCode(200)
    @Require(`${plural}:write`)
    @ApiOperation({ operationId: `${plural}_delete` })
    @ApiHeader(ifMatch)
    @ApiOkResponse({ type: DeletedOwnerDto })
    async remove(
      @Change() { orgId, origin, expectedVersion }: ChangeRequest,
      @Param('id') id: string,
      @Query() { cascade, wait }: DeleteOwnerQueryDto,
      @Res({ passthrough: true }) reply: FastifyReply,
    ): Promise<DeletedOwnerDto> {
      const ref = { orgId, kind, id, expectedVersion };
      const { blocked, version } = await this.owners.remove(ref, cascade === 'block', origin);
      await answerVersion(reply, version, this.writer, wait);
      return { blocked_keys: blocked };
    }
  }
  Object.defineProperty(OwnersController, 'name', { value: `${kind}-owners-controller` });
  return OwnersController;
}

/** What carries a tag is only counted together; chains go with teams. */
const UNFIT: Readonly<Record<OwnerKind, readonly (keyof UpdateOwnerDto)[]>> = {
  team: [],
  user: ['chain'],
  app: ['chain'],
  tag: ['models', 'limits', 'chain'],
};

function refuseUnfit(kind: OwnerKind, body: CreateOwnerDto | UpdateOwnerDto): void {
  const given = UNFIT[kind].filter((field) => body[field] !== undefined);
  if (given.length === 0) return;
  throw invalid(given.map((path) => ({ path, message: `does not go with ${kind === 'app' ? 'an' : 'a'} ${kind}` })));
}

export const OWNER_CONTROLLERS: readonly Type<object>[] = [
  ownersController('team', 'teams'),
  ownersController('user', 'users'),
  ownersController('app', 'apps'),
  ownersController('tag', 'tags'),
];
