import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, Require, type AdminPrincipal } from '#libs/http/index.js';
import { POSTGRES } from '#libs/stores/index.js';
import { readAudit, verifyAudit, type AuditItem } from '../store/audit-log.postgres.js';
import { AuditItemDto, AuditListDto, AuditVerdictDto, ListAuditQuery } from './audit.dto.js';

type Source = Parameters<typeof readAudit>[0];

/** Who changed what (IAM-5). */
@ApiTags('audit')
@Controller('api/audit')
export class AuditController {
  constructor(@Inject(POSTGRES) private readonly source: Source) {}

  /** Newest first. */
  @Get()
  @Require('audit:read')
  @ApiOkResponse({ type: AuditListDto })
  async list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListAuditQuery): Promise<AuditListDto> {
    const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(query.cursor);
    const found = await readAudit(this.source, orgId, before, query.limit + 1);
    const shown = found.slice(0, query.limit);
    const last = shown.at(-1);
    const more = found.length > shown.length && last !== undefined;
    return { items: shown.map(toItem), nextCursor: more ? String(last.seq) : null };
  }

  /** Recomputes the whole chain. */
  @Get('verify')
  @Require('audit:verify')
  @ApiOkResponse({ type: AuditVerdictDto })
  verify(@CurrentPrincipal() { orgId }: AdminPrincipal): Promise<AuditVerdictDto> {
    return verifyAudit(this.source, orgId);
  }
}

function toItem({ seq, record, hash }: AuditItem): AuditItemDto {
  const { at, action, actor, object, version, ip, userAgent, requestId, before, after } = record;
  return { seq, at, action, actor, object, version, ip, userAgent, requestId, before, after, hash };
}
