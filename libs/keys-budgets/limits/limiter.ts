import type { Logger } from '#libs/platform/logger.js';
import { LimitAccount } from './limit-account.js';
import type { LimitCounters } from './limit-counters.js';
import type { LimitScope } from './limit-scope.js';
import { LimitRefusal, type LimitTicket } from './limit-ticket.js';
import { OrgLimits, TICK_MS, type LimitStats } from './org-limits.js';

/** How many tokens a call is expected to take. */
export interface TokenEstimate {
  readonly input: number;
  /** Counted as far as the limits have room for it: the true number follows when the call is over. */
  readonly output: number;
}

/** Lets calls in, or refuses them, by the rate limits of their scopes. */
export interface Limiter {
  /**
   * All scopes have room and are charged together, or none is. Answers at once when this process can decide; else after one
   * question to the shared counters, bounded by their time limit.
   * @returns the ticket, to be settled or cancelled exactly once; throws or rejects with a `LimitRefusal`
   */
  admit(orgId: string, scopes: readonly LimitScope[], tokens: TokenEstimate): LimitTicket | Promise<LimitTicket>;
}

export interface SharedLimiterOptions {
  readonly counters: LimitCounters;
  readonly logger: Logger;
  /** Unique for this life of this process. */
  readonly processId: string;
  /** Default: the monotonic clock. */
  readonly nowMs?: () => number;
}

/** Rate limits that all processes on the same counters keep together. */
export class SharedLimiter implements Limiter {
  readonly stats: LimitStats = { local: 0, asked: 0, byShare: 0, refused: 0, messages: 0 };
  readonly #options: SharedLimiterOptions;
  readonly #organisations = new Map<string, OrgLimits>();
  readonly #timer: NodeJS.Timeout;
  readonly #away = new Set<string>();

  /** @param orgIds organisations whose limits this process takes part in from the start, so that others count it in */
  constructor(options: SharedLimiterOptions, orgIds: readonly string[] = []) {
    this.#options = options;
    for (const orgId of orgIds) this.#of(orgId).tick();
    this.#timer = setInterval(() => {
      for (const organisation of this.#organisations.values()) organisation.tick();
    }, TICK_MS);
    this.#timer.unref();
  }

  /** The shared counters do not answer: each process keeps its own part of the limits. */
  get isAway(): boolean {
    return this.#away.size > 0;
  }

  admit(orgId: string, scopes: readonly LimitScope[], tokens: TokenEstimate): LimitTicket | Promise<LimitTicket> {
    let expected = Math.max(1, tokens.input + tokens.output);
    for (const scope of scopes) {
      const { tpm } = scope.limits;
      if (tpm === null || expected <= tpm) continue;
      if (tokens.input > tpm) {
        this.stats.refused += 1;
        const account = new LimitAccount(scope);
        throw new LimitRefusal([account], { account, measure: 'tpm', waitMs: 0 }, { isHopeless: true });
      }
      expected = tpm;
    }
    return this.#of(orgId).admit(scopes, expected);
  }

  /** Stops speaking; what this process holds is free for others a few seconds later. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #of(orgId: string): OrgLimits {
    let organisation = this.#organisations.get(orgId);
    if (organisation === undefined) {
      const { counters, processId, nowMs = () => performance.now() } = this.#options;
      const onAway = (isAway: boolean, error: unknown): void => this.#tell(orgId, isAway, error);
      organisation = new OrgLimits({ orgId, processId, counters, stats: this.stats, nowMs, onAway });
      this.#organisations.set(orgId, organisation);
    }
    return organisation;
  }

  #tell(orgId: string, isAway: boolean, error: unknown): void {
    const { logger } = this.#options;
    if (isAway) {
      this.#away.add(orgId);
      logger.warn({ orgId, err: error }, 'the counters of rate limits do not answer: each process keeps its own part');
    } else {
      this.#away.delete(orgId);
      logger.info({ orgId }, 'the counters of rate limits answer again');
    }
  }
}
