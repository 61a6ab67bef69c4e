import 'reflect-metadata';
import { ProxyController } from './proxy.controller.js';

// Nest's own metadata keys of what can be bound to a controller or a method.
const ENHANCERS = ['__guards__', '__interceptors__', '__pipes__', '__exceptionFilters__'];

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
});
