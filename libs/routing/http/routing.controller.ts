import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, ListQueryDto, Require, type AdminPrincipal } from '#libs/http/index.js';
import { RouteObserver } from '../route-observer.js';
import { SimulateDto, SimulationDto, TargetListDto } from './routing.dto.js';
import { toDryRun, toSimulationDto, toTargetDto } from './routing.presenter.js';

/** Dry runs and the health of targets (RTE-4). */
@ApiTags('routing')
@Controller('api/routing')
export class RoutingController {
  constructor(@Inject(RouteObserver) private readonly observer: RouteObserver) {}

  /** The way a request would take through its chain if its attempts met these errors. Nothing is sent. */
  @Post('simulate')
  @HttpCode(200)
  @Require('routing:read')
  @ApiOkResponse({ type: SimulationDto })
  simulate(@CurrentPrincipal() { orgId }: AdminPrincipal, @Body() body: SimulateDto): SimulationDto {
    return toSimulationDto(this.observer.simulate(toDryRun(orgId, body)));
  }

  /** Every target of a chain or a configured model, and every other that was called, with its breaker. */
  @Get('targets')
  @Require('routing:read')
  @ApiOkResponse({ type: TargetListDto })
  targets(@CurrentPrincipal() { orgId }: AdminPrincipal, @Query() query: ListQueryDto): TargetListDto {
    const { items, nextCursor } = this.observer.targets(orgId, query.limit, query.cursor);
    return { items: items.map(toTargetDto), nextCursor };
  }
}
