import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '#libs/http/index.js';
import { Readiness, type ReadinessReport } from './readiness.js';

export class LiveDto {
  @ApiProperty({ enum: ['live'] })
  status!: 'live';
}

export class ReadyDto implements ReadinessReport {
  @ApiProperty({ enum: ['ready', 'degraded', 'draining', 'blind'] })
  status!: ReadinessReport['status'];

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string', enum: ['up', 'down'] } })
  stores!: Readonly<Record<string, 'up' | 'down'>>;

  @ApiProperty({ enum: ['open', 'waiting'], description: 'waiting: the counters of budgets are being rebuilt' })
  budgets!: ReadinessReport['budgets'];

  @ApiProperty({ type: 'integer', description: 'version of the registry in force' })
  registryVersion!: number;
}

/** For load balancers and orchestrators (OBS-3). */
@ApiTags('operations')
@Controller('health')
export class HealthController {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {}

  @Get('live')
  @Public('load balancers carry no credential; says only that the process answers')
  @ApiOkResponse({ type: LiveDto })
  live(): LiveDto {
    return { status: 'live' };
  }

  @Get('ready')
  @Public('load balancers carry no credential; names stores, neither addresses nor reasons')
  @ApiOkResponse({ type: ReadyDto })
  @ApiServiceUnavailableResponse({
    type: ReadyDto,
    description: 'draining, or no store confirmed the registry for five minutes',
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadyDto> {
    const report = await this.readiness.report();
    void reply.code(report.status === 'ready' || report.status === 'degraded' ? 200 : 503);
    return report;
  }
}
