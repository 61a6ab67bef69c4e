import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Require } from '#libs/http/index.js';
import { METRICS_CONTENT_TYPE, renderMetrics } from '#libs/platform/metrics.js';

/** Prometheus metrics of this process (OBS-3). */
@ApiTags('operations')
@Controller('metrics')
export class MetricsController {
  /** With an API token; without one only for a direct caller on this machine (a scraper beside the gateway). */
  @Get()
  @Require('metrics:read', { loopback: true })
  @Header('content-type', METRICS_CONTENT_TYPE)
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  metrics(): Promise<string> {
    return renderMetrics();
  }
}
