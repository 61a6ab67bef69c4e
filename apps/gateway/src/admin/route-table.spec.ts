import type { RouteOptions } from 'fastify';
import { RouteTable } from './route-table.js';

const route = (method: string | string[], url: string): RouteOptions =>
  ({ method, url, handler: () => {} }) as RouteOptions;

describe('RouteTable', () => {
  const table = new RouteTable();
  table.add(route('GET', '/api/keys'));
  table.add(route(['POST', 'PUT'], '/api/keys'));
  table.add(route('GET', '/api/keys/:id'));
  table.add(route('GET', '/files/*'));
  table.add(route('GET', '/a.b'));

  it.each([
    ['/api/keys', ['GET', 'POST', 'PUT']],
    ['/api/keys/x', ['GET']],
    ['/api/keys/', []],
    ['/api/keys/x/y', []],
    ['/files/a/b', ['GET']],
    ['/a.b', ['GET']],
    ['/axb', []],
    ['/', []],
  ])('knows the methods at %s', (path, methods) => expect(table.methodsAt(path)).toEqual(methods));

  it('IAM-3: names every undeclared route', () =>
    expect(() => table.assertDeclared()).toThrow('GET /api/keys, POST /api/keys, PUT /api/keys'));
});
