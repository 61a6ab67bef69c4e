import type { Clock } from '#libs/platform/clock.js';
import { StickyTargets } from './affinity.js';
import { HealthBook } from './health-book.js';
import type { RoutePlan } from './route-plan.js';
import { RouteRun, type RouteContext, type RunParts } from './route-run.js';

/** What all requests of a process share: the health of targets and where conversations went. One per process. */
export class Router {
  readonly health: HealthBook;
  readonly #parts: RunParts;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.health = new HealthBook(clock);
    this.#parts = { random, sticky: new StickyTargets() };
  }

  /** Begins the way of one request through its plan. Its first target costs some hundred nanoseconds, no I/O. */
  route(plan: RoutePlan, context: RouteContext): RouteRun {
    return new RouteRun(plan, context, this.#parts);
  }
}
