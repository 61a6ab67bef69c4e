import type { Logger } from '#libs/platform/logger.js';
import type { Admission } from './admission.js';
import type { BudgetDefinition } from './budget-definition.js';
import type { BudgetCounters, BudgetLedger } from './budget-counters.js';
import type { Period } from './period.js';
import type { Spool } from './spool.js';

/** Times and shares of the algorithm; the defaults are the proven ones. */
export interface BudgetTimes {
  /** A process that hears nothing from Redis for so long admits no more; default 10 s. */
  readonly ttlMs: number;
  /** What one call may take of what a `clamp` budget has left; default ¼. */
  readonly share: number;
  /** How long a request waits for idle slices of others to come back; default 80 ms. */
  readonly recallWaitMs: number;
  /** How long a request waits for a store that is away or rebuilding; default 1.5 s. */
  readonly storeWaitMs: number;
  /** After so long without use an account gives back everything; default 10 s. */
  readonly parkMs: number;
}

/** Money that was given out in this turn and goes to its caller when the file has the intent. */
export interface Grant {
  readonly admission: Admission;
  readonly amountNanos: number;
  /** More for a call that runs already. */
  readonly isExtension: boolean;
  done(ok: boolean): void;
}

/** Counters since the start of the process. */
export interface BudgetStats {
  admitted: number;
  /** Of these, decided without asking Redis. */
  local: number;
  refusedByBudget: number;
  refusedByStore: number;
  /** Messages to Redis, and those that brought no answer. */
  turns: number;
  timeouts: number;
  /** Times a new generation was joined: Redis lost its memory. */
  rejoins: number;
  /** Calls that cost more than their bound: the bound function of their model is wrong. */
  aboveBound: number;
  /** Costs that were no amounts; booked at the bound. */
  invalidCosts: number;
  /** Turns that the disk refused. */
  failedWrites: number;
}

/** What the organisations of one process share. */
export interface ProcessHost {
  readonly processId: string;
  readonly spool: Spool;
  readonly counters: BudgetCounters;
  readonly ledger: BudgetLedger;
  readonly times: BudgetTimes;
  readonly stats: BudgetStats;
  readonly logger: Logger;
  /** Monotonic ms: a wrong wall clock cannot prolong a lease. */
  nowMs(): number;
  /** This machine's wall clock, ms since 1970. */
  wallMs(): number;
  /** False: the spool is full or refused by the disk, or the process is ending. */
  takesCalls(): boolean;
  /** Hands the grant over at the end of this turn. */
  deliver(grant: Grant): void;
  /** Every organisation with something to say sends it at the end of this turn. */
  schedule(): void;
  nextMirrorSeq(): number;
  /** The period that a moment (store time) belongs to. */
  periodOf(budget: BudgetDefinition, nowMs: number): Period;
  /** The ledger has closed this process: it must end, its spool is adopted then. */
  wasClosed(orgId: string): void;
}
