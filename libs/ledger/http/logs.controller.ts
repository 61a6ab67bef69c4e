import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, Require, roleAllows, type AdminPrincipal } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { BodyReader, type ReadBodies } from '../read-bodies.js';
import type { UsageLog } from '../store/usage-ledger.js';
import { USAGE_LOG } from '../tokens.js';
import { ListLogsDto } from './logs.dto.js';
import { LogDetailDto, LogListDto } from './log-item.dto.js';
import { toFilter, toLogItem } from './logs.presenter.js';

/** The log of calls: what the ledger holds, with the bodies from the archive. */
@ApiTags('logs')
@Controller('api/logs')
export class LogsController {
  constructor(
    @Inject(USAGE_LOG) private readonly log: UsageLog,
    @Inject(BodyReader) private readonly bodies: BodyReader,
  ) {}

  /** Calls of the caller's organisation, newest first. */
  @Get()
  @Require('logs:read')
  @ApiOkResponse({ type: LogListDto })
  async list(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListLogsDto): Promise<LogListDto> {
    const { limit, cursor } = query;
    const page = await this.log.page({ ...toFilter(query), orgId, limit, ...(cursor === undefined ? {} : { cursor }) });
    return { items: page.rows.map(toLogItem), nextCursor: page.nextCursor };
  }

  /** One call, with the usage object as the provider sent it and, for those who may see them, its bodies. */
  @Get(':id')
  @Require('logs:read')
  @ApiOkResponse({ type: LogDetailDto })
  async get(@CurrentPrincipal() { orgId, role }: AdminPrincipal, @Param('id') id: string): Promise<LogDetailDto> {
    const row = await this.log.get(orgId, id);
    if (row === null) throw new AppError('not_found', { text: 'There is no such call in the log.' });
    const bodies: ReadBodies = roleAllows(role, 'logs:read_bodies')
      ? await this.bodies.read(row)
      : { bodies: null, bodiesReason: 'not_allowed' };
    return { ...toLogItem(row), usageRaw: row.usage?.raw ?? null, ...bodies };
  }
}
