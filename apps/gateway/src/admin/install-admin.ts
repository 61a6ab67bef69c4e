import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { beginAnswer, isSuspiciousPath, sendProblem, type RouteAccess } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { AccessControl } from './access-control.js';
import { ADMIN_BODY_LIMIT_BYTES, checkQueryNames, readJsonBody } from './json-body.js';
import { OpenApi } from './openapi.js';
import { RouteTable } from './route-table.js';

type AdminAccess = Exclude<RouteAccess, { kind: 'virtual-key' }>;

/**
 * Puts the admin side around an application that imports `AdminModule`. Call it once, before the routes are registered
 * (`app.init()` or `app.listen()`):
 *
 * - bodies stay Buffers for everybody; on `/api` routes they become JSON objects
 * - every route must declare its access, or the start fails; what it declares is enforced after routing, by hooks that only
 *   non-proxy routes have (nothing is added to a proxy route)
 * - unknown paths, wrong methods and path tricks are answered as problems; a proxy installed before may answer its own first
 *
 * @returns the table of all routes, complete once the application is ready
 */
export function installAdmin(app: NestFastifyApplication): RouteTable {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const control = app.get(AccessControl, { strict: false });
  app.get(OpenApi, { strict: false }).describe(app);
  const routes = new RouteTable();
  fastify.decorateRequest('adminPrincipal', null);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  fastify.addHook('onRoute', (route) => {
    routes.add(route);
    const access = route.config?.access;
    if (access !== undefined && access.kind !== 'virtual-key') guard(route, access, control);
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    // `GET http://host/v1/models` is routed by its path but would escape every rule about paths, the proxy's too.
    const isAbsolute = request.raw.url?.charCodeAt(0) !== 47;
    if (!request.is404 && !isAbsolute) return done();
    refuseUnknown(request, reply, routes);
  });
  fastify.addHook('onReady', () => routes.assertDeclared());
  return routes;
}

/** What one non-proxy route gets. The order is fixed: headers, path, caller; only then is the body read. */
function guard(route: RouteOptions, access: AdminAccess, control: AccessControl): void {
  const isApi = route.url === '/api' || route.url.startsWith('/api/');
  route.bodyLimit = ADMIN_BODY_LIMIT_BYTES;
  route.errorHandler = (error, request, reply) => sendProblem(request, reply, error);
  route.onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    beginAnswer(request, reply);
    if (isSuspiciousPath(request.raw.url ?? '')) throw new AppError('bad_path');
    if (access.kind === 'permission') request.adminPrincipal = await control.admit(request, access);
  };
  route.preValidation = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    try {
      checkQueryNames(request.query);
      request.body = isApi ? readJsonBody(request) : undefined;
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}

function refuseUnknown(request: FastifyRequest, reply: FastifyReply, routes: RouteTable): void {
  const url = request.raw.url ?? '';
  if (isSuspiciousPath(url)) return sendProblem(request, reply, new AppError('bad_path'));
  const path = url.split('?', 1)[0] as string;
  const allowed = routes.methodsAt(path);
  if (allowed.length === 0) return sendProblem(request, reply, new AppError('route_not_found'));
  void reply.header('allow', allowed.join(', '));
  sendProblem(request, reply, new AppError('method_not_allowed', { text: `${request.method} is not allowed here.` }));
}
