import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#libs/platform/logger.js';
import type { Admission, AdmitRequest, BudgetState, Refusal } from './admission.js';
import { tightestOf } from './admission.js';
import { adoptSpools, type FailedAdoption } from './adoption.js';
import type { BudgetCounters, BudgetLedger } from './budget-counters.js';
import type { BudgetDefinition } from './budget-definition.js';
import { CeilingMirror, type MovedCeilings } from './ceiling-mirror.js';
import type { BudgetSet } from './budget-set.js';
import { OrgBudgets } from './org-budgets.js';
import { type Period, periodAt } from '#libs/platform/zoned-time.js';
import type { BudgetStats, BudgetTimes, Grant, ProcessHost } from './process-host.js';
import { RowShipper } from './row-shipper.js';
import { openSpoolFolder } from './spool-folder.js';
import { Spool, type SpoolOptions } from './spool.js';

export interface BudgetsOptions {
  readonly counters: BudgetCounters;
  readonly ledger: BudgetLedger;
  /** Folder of the spools of all processes of this machine; on a disk that outlives the process. */
  readonly spoolRoot: string;
  readonly logger: Logger;
  /** The ledger has closed this process (it was silent for too long): it must end, and a new one start. */
  readonly onClosed: () => void;
  readonly times?: Partial<BudgetTimes>;
  readonly spool?: SpoolOptions;
  /** What the stream may hold of this process uncommitted; default 8 MiB. */
  readonly windowBytes?: number;
  /**
   * What the spool may take of the disk; default 512 MiB. Full-policy: no new call is admitted (`store`), the ends of
   * running calls are still written.
   */
  readonly spoolMaxBytes?: number;
  /** How often dead neighbours are looked for; default 1 s. */
  readonly adoptEveryMs?: number;
  /** Default: a new one. */
  readonly processId?: string;
  /** Default: the calendar's, by the budget's zone. A proof cuts periods of seconds. */
  readonly periodOf?: (budget: BudgetDefinition, nowMs: number) => Period;
}

const TIMES: BudgetTimes = { ttlMs: 10_000, share: 0.25, recallWaitMs: 80, storeWaitMs: 1500, parkMs: 10_000 };
const TICK_MS = 20;
const SPOOL_MAX_BYTES = 512 * 1024 * 1024;
/** After the disk refused a turn, no call is admitted for so long. */
const DISK_PAUSE_MS = 500;
const ORG_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DEFAULT_CLOSE_MS = 5000;

/** Name of one life of one process; short, since a socket's path holds it. */
export function newProcessId(): string {
  return `${Date.now().toString(36)}-${randomBytes(5).toString('hex')}`;
}

/**
 * Hard budgets and exactly one ledger row per call, for one process (KEY-4, KEY-6).
 *
 * A process owns a ceiling per budget and period: all that it may ever spend there. Redis only moves ceilings, and only
 * while their sum and what closed processes spent stay within the limit (I1). A call is decided in memory when all its
 * budgets have room there, else by one script call per event-loop turn and organisation, all or none. Before dispatch its
 * intent is in the spool. All rules: `README.md` beside this file.
 */
export class Budgets implements ProcessHost {
  readonly processId: string;
  readonly spool: Spool;
  readonly counters: BudgetCounters;
  readonly ledger: BudgetLedger;
  readonly times: BudgetTimes;
  readonly logger: Logger;
  readonly stats: BudgetStats = {
    admitted: 0,
    local: 0,
    refusedByBudget: 0,
    refusedByStore: 0,
    turns: 0,
    timeouts: 0,
    rejoins: 0,
    aboveBound: 0,
    invalidCosts: 0,
    failedWrites: 0,
  };
  readonly #options: BudgetsOptions;
  readonly #organisations = new Map<string, OrgBudgets>();
  readonly #shipper: RowShipper;
  readonly #mirror: CeilingMirror;
  readonly #timer: NodeJS.Timeout;
  readonly #ending = new AbortController();
  readonly #adopting: Promise<void>;
  #grants: Grant[] = [];
  #isScheduled = false;
  #isClosing = false;
  #diskPauseUntilMs = 0;
  #mirrorSeq = 0;

  private constructor(options: BudgetsOptions, processId: string, spool: Spool) {
    this.#options = options;
    this.processId = processId;
    this.spool = spool;
    this.counters = options.counters;
    this.ledger = options.ledger;
    this.logger = options.logger;
    this.times = { ...TIMES, ...options.times };
    this.#shipper = new RowShipper({
      processId,
      spool,
      counters: options.counters,
      windowBytes: options.windowBytes ?? 8 * 1024 * 1024,
    });
    this.#mirror = new CeilingMirror({
      processId,
      ledger: options.ledger,
      takeMoved: () => this.#takeMoved(),
      nextMirrorSeq: () => this.nextMirrorSeq(),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#adopting = this.#adoptNeighbours();
  }

  /**
   * Checks the store, takes a folder in the spool, and begins to look after dead neighbours.
   * @throws CounterStoreUnfitError, SpoolUnusableError: settings to be changed, the message says which
   */
  static async open(options: BudgetsOptions): Promise<Budgets> {
    await options.counters.check();
    mkdirSync(options.spoolRoot, { recursive: true, mode: 0o700 });
    const processId = options.processId ?? newProcessId();
    const folder = await openSpoolFolder(options.spoolRoot, processId);
    // several files, so that a full spool has some to give up
    const segmentBytes = Math.min(8 * 1024 * 1024, (options.spoolMaxBytes ?? SPOOL_MAX_BYTES) / 16);
    return new Budgets(options, processId, new Spool(folder, { segmentBytes, ...options.spool }));
  }

  /**
   * The budgets of one key as a set, made once per key and configuration. The most specific budget first: it is named when
   * several are short. An empty list is fine: its calls get rows all the same.
   * @throws RangeError naming the field of a definition that cannot be
   */
  compile(orgId: string, definitions: readonly BudgetDefinition[]): BudgetSet {
    return this.#organisation(orgId).compile(definitions);
  }

  /**
   * Sets money aside. Answers at once when this process can decide; else within `recallWaitMs` (a budget is short) or
   * `storeWaitMs` (Redis is away). Nothing may be sent upstream before `admission.written` is true.
   */
  admit(request: AdmitRequest): Admission | Refusal | Promise<Admission | Refusal> {
    return request.set.org.admit(request);
  }

  /** More for a stream that outgrows its bound: all its budgets or none, before the more is used. */
  extend(admission: Admission, moreNanos: number): Promise<boolean> {
    return admission.set.org.extend(admission, moreNanos);
  }

  /**
   * Ends a call: its row is in the spool at the end of this turn. Ending it twice changes nothing.
   * @param costNanos what it cost; `null` when nobody knows: the row is `unknown` until reconciled
   * @param event JSON object on one line: the finished usage event
   * @param seenNanos cost of the usage seen until an answer broke off: an unknown row stands at it, or at its bound if that
   * is more; a call without budgets has a bound of 0
   * @param mostNanos the bound of the row, where the call can have cost less than what is set aside
   */
  settle(
    admission: Admission,
    costNanos: number | null,
    event: string,
    seenNanos = 0,
    mostNanos = admission.boundNanos,
  ): void {
    admission.set.org.settle(admission, costNanos, event, seenNanos, mostNanos);
  }

  /** Ends a call of which nothing was sent upstream: no row, the money is free again. */
  cancel(admission: Admission): void {
    admission.set.org.cancel(admission);
  }

  /**
   * The budget of the set with the least left, for headers; `null` without budgets.
   * @param freedNanos what a call is about to give back
   */
  tightest(set: BudgetSet, freedNanos = 0): BudgetState | null {
    return tightestOf(set.turnTo(set.org.storeNowMs()), freedNanos);
  }

  /** True while the organisation's counters are known to be right and ceilings may rise. */
  isReady(orgId: string): boolean {
    return this.#organisation(orgId).isReady;
  }

  /**
   * When no call is open any more: gives everything back, waits until the ledger has all rows, and closes this process
   * there. What is not done after `withinMs` is left to whoever adopts the spool.
   * @returns true when everything is settled and the spool is gone
   */
  async close(withinMs: number = DEFAULT_CLOSE_MS): Promise<boolean> {
    const untilMs = this.nowMs() + withinMs;
    this.#isClosing = true;
    const isDone = (): boolean => {
      const quiet = [...this.#organisations.values()].map((org) => org.giveBack());
      return quiet.every(Boolean) && this.spool.heldBytes === 0 && !this.spool.hasUnwritten;
    };
    let done = isDone();
    while (!done && this.nowMs() < untilMs) {
      await sleep(TICK_MS);
      done = isDone();
    }
    this.#stop();
    await this.#adopting;
    if (done) {
      try {
        for (const orgId of this.#organisations.keys()) await this.ledger.close(orgId, this.processId, [], 0);
        this.spool.remove();
        return true;
      } catch (error) {
        this.logger.warn({ err: error }, 'this process could not be closed in the ledger; its spool will be adopted');
      }
    } else this.logger.warn({}, 'the ledger has not committed all rows in time; the spool will be adopted');
    this.spool.abandon();
    return false;
  }

  /** Lets go at once, as if the process had ended: whoever adopts the spool books what is open. */
  abandon(): void {
    this.#isClosing = true;
    this.#stop();
    this.spool.abandon();
  }

  #stop(): void {
    for (const org of this.#organisations.values()) org.end();
    clearInterval(this.#timer);
    this.#ending.abort();
  }

  // ---- what the organisations share ----

  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  takesCalls(): boolean {
    if (this.#isClosing || this.nowMs() < this.#diskPauseUntilMs) return false;
    return this.spool.diskBytes < (this.#options.spoolMaxBytes ?? SPOOL_MAX_BYTES);
  }

  deliver(grant: Grant): void {
    this.#grants.push(grant);
    this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  periodOf(budget: BudgetDefinition, nowMs: number): Period {
    if (this.#options.periodOf !== undefined) return this.#options.periodOf(budget, nowMs);
    return periodAt({ kind: budget.period, timeZone: budget.timeZone, weekStart: budget.weekStart }, nowMs);
  }

  nextMirrorSeq(): number {
    return (this.#mirrorSeq += 1);
  }

  wasClosed(orgId: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.logger.error(
      { orgId, processId: this.processId },
      'this process was silent for so long that the ledger has closed it',
    );
    this.#options.onClosed();
  }

  /** The end of an event-loop turn: one write for all intents, then their calls may go, then one message per organisation. */
  #turn(): void {
    this.#isScheduled = false;
    const grants = this.#grants;
    this.#grants = [];
    const isWritten = this.#flush();
    const nowMs = this.nowMs();
    for (const grant of grants) {
      const { org } = grant.admission.set;
      if (!isWritten) org.takeBack(grant.admission, grant.amountNanos, grant.isExtension);
      const ok = isWritten && org.confirm(grant, nowMs);
      if (ok && !grant.isExtension) this.stats.admitted += 1;
      grant.done(ok);
    }
    for (const org of this.#organisations.values()) if (org.hasWords) org.send();
  }

  /** False: the disk refused; admission is closed for a moment, what is on the disk can still be shipped. */
  #flush(): boolean {
    try {
      this.spool.flush();
      return true;
    } catch (error) {
      if (this.stats.failedWrites++ === 0)
        this.logger.error({ err: error }, 'the spool cannot be written: no calls are admitted');
      this.#diskPauseUntilMs = this.nowMs() + DISK_PAUSE_MS;
      this.spool.resend();
      return false;
    }
  }

  #tick(): void {
    const nowMs = this.nowMs();
    if (this.spool.hasUnwritten) this.#flush();
    for (const org of this.#organisations.values()) org.tick(nowMs);
    this.#shipper.tick(nowMs);
    this.#mirror.tick(nowMs);
  }

  #takeMoved(): MovedCeilings {
    const moved = [...this.#organisations.values()].map((org) => org.takeMoved());
    return {
      ceilings: moved.flatMap(({ ceilings }) => ceilings),
      restore: () => moved.forEach((part) => part.restore()),
    };
  }

  #organisation(orgId: string): OrgBudgets {
    let org = this.#organisations.get(orgId);
    if (org === undefined) {
      if (!ORG_ID.test(orgId)) throw new RangeError(`orgId: not an id of an organisation: ${JSON.stringify(orgId)}`);
      org = new OrgBudgets(orgId, this);
      this.#organisations.set(orgId, org);
      org.start();
    }
    return org;
  }

  async #adoptNeighbours(): Promise<void> {
    const { spoolRoot: root, ledger, logger, adoptEveryMs = 1000 } = this.#options;
    const failed = new Map<string, FailedAdoption>();
    for (let failures = 0; !this.#ending.signal.aborted;) {
      try {
        await adoptSpools({ root, own: this.processId, ledger, ttlMs: this.times.ttlMs, logger, failed });
        failures = 0;
      } catch (error) {
        if (failures++ === 0) logger.warn({ err: error, root }, 'the spools of dead processes cannot be looked for');
      }
      const pauseMs = adoptEveryMs * (0.75 + Math.random() / 2);
      await sleep(pauseMs, undefined, { signal: this.#ending.signal, ref: false }).catch(() => {});
    }
  }
}
