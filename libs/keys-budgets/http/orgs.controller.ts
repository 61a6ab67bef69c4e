import { Body, Controller, Get, Inject, Param, Patch, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
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
import { OrgAdmin } from '../org-admin.js';
import { OrgDto, OrgListDto, UpdateOrgDto } from './owners.dto.js';
import { toOrgChanges, toOrgDto } from './owners.presenter.js';

/** The organisation: time zone, budgets and limits of all its keys together. */
@ApiTags('orgs')
@Controller('api/orgs')
export class OrgsController {
  constructor(
    @Inject(OrgAdmin) private readonly orgs: OrgAdmin,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  @Get()
  @Require('orgs:read')
  @ApiOkResponse({ type: OrgListDto })
  list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() _query: ListQueryDto): OrgListDto {
    return { items: this.orgs.list(orgId).map(toOrgDto), nextCursor: null };
  }

  @Get(':id')
  @Require('orgs:read')
  @ApiOkResponse({ type: OrgDto })
  async get(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OrgDto> {
    const view = this.orgs.get(orgId, id);
    await answerVersion(reply, view.version, this.writer, undefined);
    return toOrgDto(view);
  }

  @Patch(':id')
  @Require('orgs:write')
  @ApiHeader({ name: 'If-Match', required: false, description: 'ETag; 409 when it was changed since' })
  @ApiOkResponse({ type: OrgDto })
  async update(
    @Change() { orgId, origin, expectedVersion }: ChangeRequest,
    @Param('id') id: string,
    @Body() body: UpdateOrgDto,
    @Query() { wait }: WaitQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OrgDto> {
    const view = await this.orgs.update({ orgId, id, expectedVersion }, toOrgChanges(body), origin);
    await answerVersion(reply, view.version, this.writer, wait);
    return toOrgDto(view);
  }
}
