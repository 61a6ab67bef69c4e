import { Controller, Get, Head, Inject, Post, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { virtualKeyRoute } from '#libs/http/index.js';
import { DATA_PLANE, type DataPlane } from './data-plane.js';
import { endpointOf, routesOf, type Endpoint } from './endpoints.js';
import { Exchange } from './exchange.js';
import { handle } from './handle.js';

/**
 * The one door of the data plane: an ordinary controller without any enhancer (ADR 0003; a test lists them: none). The body
 * is a raw Buffer, the reply is hijacked, and everything else happens in `handle`.
 */
@Controller()
export class ProxyController {
  constructor(@Inject(DATA_PLANE) private readonly plane: DataPlane) {}

  @Post(routesOf('POST'))
  @RouteConfig(virtualKeyRoute)
  post(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#enter(request, reply);
  }

  @Get(routesOf('GET'))
  @RouteConfig(virtualKeyRoute)
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#enter(request, reply);
  }

  @Head(routesOf('HEAD'))
  @RouteConfig(virtualKeyRoute)
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#enter(request, reply);
  }

  #enter(request: FastifyRequest, reply: FastifyReply): void {
    const endpoint = endpointOf(request.method, request.routeOptions.url ?? '') as Endpoint;
    reply.hijack();
    const body = Buffer.isBuffer(request.body) ? request.body : null;
    handle(new Exchange(endpoint, request.raw, reply.raw, body, this.plane.snapshot), this.plane);
  }
}
