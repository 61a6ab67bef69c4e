import type { Clock } from '#libs/platform/clock.js';
import { AppError } from '#libs/platform/errors.js';

/** A value with the time (ms since 1970) at which it ceases to count. */
export interface Expiring<T> {
  readonly value: T;
  readonly expiresAtMs: number;
}

/** A value this close to its end is no longer used: a call with it could arrive too late. */
const MARGIN_MS = 30_000;
/** A renewal begins this long before the end, or in the last fifth of a short life. */
const AHEAD_MS = 300_000;
const AHEAD_SHARE = 0.2;
/** After a failed renewal the next one waits, ever longer. */
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
/** An upstream that refuses everything must not turn each call into one to the token service. */
const MIN_AGE_TO_REFUSE_MS = 30_000;

/**
 * Keeps one value that expires: renewed ahead by whoever uses it (no timer), one renewal at a time, and after a failure no
 * new attempt before a pause, so that a dead token service costs each caller an error and not a wait.
 */
export class ExpiringValue<T> {
  readonly #fetch: () => Promise<Expiring<T>>;
  readonly #clock: Clock;
  #held: Expiring<T> | null = null;
  #previous: T | null = null;
  #fetchedAtMs = 0;
  #renewAtMs = 0;
  #underWay: Promise<void> | null = null;
  #failure: AppError | null = null;
  #failures = 0;
  #retryAtMs = 0;

  /** @param fetch must be bounded in time itself; its rejection becomes the cause of `upstream_credentials` */
  constructor(fetch: () => Promise<Expiring<T>>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** The value, `null` when there is none that still counts. */
  current(): T | null {
    const now = this.#clock.now();
    if (this.#held === null || now >= this.#held.expiresAtMs - MARGIN_MS) return null;
    if (now >= this.#renewAtMs && now >= this.#retryAtMs && this.#underWay === null) {
      this.#renew().catch(() => {}); // the value at hand still counts; a later call tries again
    }
    return this.#held.value;
  }

  /** The value even if it has expired. */
  last(): T | null {
    return this.#held?.value ?? null;
  }

  /** The last value and the one before it: answers to calls made with that may still come. */
  recent(): T[] {
    return [this.last(), this.#previous].filter((value) => value !== null);
  }

  /** Resolves when there is a value. @throws AppError `upstream_credentials` */
  refresh(): Promise<void> {
    if (this.#underWay !== null) return this.#underWay;
    if (this.#failure !== null && this.#clock.now() < this.#retryAtMs) return Promise.reject(this.#failure);
    return this.#renew();
  }

  /** The value is not accepted: it no longer counts, unless it is brand new. */
  refused(): void {
    if (this.#held !== null && this.#clock.now() - this.#fetchedAtMs >= MIN_AGE_TO_REFUSE_MS) {
      this.#held = { value: this.#held.value, expiresAtMs: 0 };
    }
  }

  #renew(): Promise<void> {
    this.#underWay = this.#fetch().then(
      (fresh) => this.#keep(fresh),
      (cause: unknown) => this.#failed(cause),
    );
    return this.#underWay;
  }

  #keep(fresh: Expiring<T>): void {
    const now = this.#clock.now();
    this.#underWay = null;
    if (fresh.expiresAtMs - MARGIN_MS <= now) {
      return this.#failed(new Error('the token service gave a credential that is about to expire'));
    }
    this.#previous = this.last();
    this.#held = fresh;
    this.#fetchedAtMs = now;
    this.#renewAtMs = fresh.expiresAtMs - MARGIN_MS - Math.min(AHEAD_MS, (fresh.expiresAtMs - now) * AHEAD_SHARE);
    this.#failure = null;
    this.#failures = 0;
    this.#retryAtMs = 0;
  }

  #failed(cause: unknown): never {
    this.#underWay = null;
    this.#failures++;
    const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(this.#failures - 1, 10));
    this.#retryAtMs = this.#clock.now() + backoffMs;
    this.#failure = new AppError('upstream_credentials', { cause });
    throw this.#failure;
  }
}
