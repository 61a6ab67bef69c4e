import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { CurrentPrincipal, Require, type AdminPrincipal } from '#libs/http/index.js';
import type { Clock } from '#libs/platform/clock.js';
import { AppError } from '#libs/platform/errors.js';
import { focusDocument, focusFileName } from '../spend/focus.js';
import type { SpendDimension, SpendRange, SpendReports } from '../spend/spend-report.js';
import { readSpendRange } from '../spend/spend-range.js';
import { LEDGER_CLOCK, SPEND_REPORTS, ZONE_OF_ORG, type ZoneOfOrg } from '../tokens.js';
import { SpendExportDto, SpendQueryDto, SpendReportDto, type SpendRangeDto } from './spend.dto.js';
import { toCsv, toFilter, toItem, toSums } from './spend.presenter.js';

/** Largest file: beyond it a shorter range has to be asked for. */
const MOST_LINES = 50_000;

/** Spend reports, from the roll-ups of the ledger (KEY-7). */
@ApiTags('spend')
@Controller('api/spend')
export class SpendController {
  constructor(
    @Inject(SPEND_REPORTS) private readonly reports: SpendReports,
    @Inject(ZONE_OF_ORG) private readonly zoneOfOrg: ZoneOfOrg,
    @Inject(LEDGER_CLOCK) private readonly clock: Clock,
  ) {}

  /** Calls, tokens and cost by one or two dimensions. */
  @Get()
  @Require('spend:read')
  @ApiOkResponse({ type: SpendReportDto })
  @ApiProduces('application/json', 'text/csv')
  async list(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Query() query: SpendQueryDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SpendReportDto | string> {
    const range = this.range(orgId, query);
    const groupBy = query.group_by.split(',') as SpendDimension[];
    const sort = query.sort ?? (groupBy.includes('day') ? 'group' : 'cost');
    const asked = { ...range, ...toFilter(query), orgId, groupBy, sort };
    if (query.format === 'csv') {
      const { rows } = await this.reports.page({ ...asked, limit: MOST_LINES + 1 });
      return sendCsv(reply, `smartflow-spend-by-${groupBy.join('-')}.csv`, toCsv(groupBy, bounded(rows)));
    }
    const cursor = query.cursor === undefined ? {} : { cursor: query.cursor };
    const page = await this.reports.page({ ...asked, ...cursor, limit: query.limit });
    return {
      items: page.rows.map((row) => toItem(groupBy, row)),
      totals: toSums(page.totals),
      from: new Date(range.fromMs).toISOString(),
      to: new Date(range.toMs).toISOString(),
      timeZone: range.timeZone,
      nextCursor: page.nextCursor,
    };
  }

  /** Daily charges for tools of finance: one line per day, key, provider and model (FOCUS 1.2, CSV). */
  @Get('export')
  @Require('spend:read')
  @ApiProduces('text/csv')
  @ApiOkResponse({ description: 'CSV', content: { 'text/csv': { schema: { type: 'string' } } } })
  async export(
    @CurrentPrincipal() { orgId }: AdminPrincipal,
    @Query() query: SpendExportDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const range = this.range(orgId, query);
    const days = await this.reports.daily({ ...range, ...toFilter(query), orgId, limit: MOST_LINES + 1 });
    return sendCsv(reply, focusFileName(range), focusDocument(orgId, range, bounded(days)));
  }

  private range(orgId: string, { from, to, time_zone }: SpendRangeDto): SpendRange {
    return readSpendRange({ from, to, timeZone: time_zone }, this.zoneOfOrg(orgId), this.clock.now());
  }
}

/** A file with something missing would be worse than none. */
function bounded<T>(rows: readonly T[]): readonly T[] {
  if (rows.length <= MOST_LINES) return rows;
  throw new AppError('invalid_request', {
    text: `The file would have more than ${MOST_LINES} lines: ask for a shorter range.`,
    param: 'from',
  });
}

function sendCsv(reply: FastifyReply, name: string, text: string): string {
  void reply.type('text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${name}"`);
  return text;
}
