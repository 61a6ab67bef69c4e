import 'reflect-metadata';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyController } from './proxy.controller.js';

// Nest's own metadata keys of what can be bound to a controller or a method.
const ENHANCERS = ['__guards__', '__interceptors__', '__pipes__', '__exceptionFilters__'];
/** What binds an enhancer to every controller of an application. */
const GLOBAL = /\bAPP_(GUARD|INTERCEPTOR|PIPE|FILTER)\b|\.useGlobal(Guards|Interceptors|Pipes|Filters)\(/;

describe('ProxyController', () => {
  it('has no enhancer on itself or on any method: they would cost more than all of governance (ADR 0003)', () => {
    const methods = Object.getOwnPropertyNames(ProxyController.prototype).filter((name) => name !== 'constructor');
    expect(methods.length).toBeGreaterThan(0);
    for (const key of ENHANCERS) {
      expect(Reflect.getMetadata(key, ProxyController)).toBeUndefined();
      for (const name of methods)
        expect(Reflect.getMetadata(key, ProxyController.prototype[name as 'post'])).toBeUndefined();
    }
  });

  it('is reached by no global enhancer: nothing in the product binds one', () => {
    const root = path.resolve(import.meta.dirname, '../../../..');
    const files = globSync('{apps,libs}/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.spec.ts'));
    expect(files.length).toBeGreaterThan(200);
    expect(files.filter((file) => GLOBAL.test(readFileSync(path.join(root, file), 'utf8')))).toEqual([]);
  });
});
