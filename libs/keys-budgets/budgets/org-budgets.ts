import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, CLAMP } from './account.js';
import { AccountBook } from './account-book.js';
import { Admission, type AdmitRequest, type Refusal, stateOf } from './admission.js';
import { type BudgetDefinition, MOST_NANOS } from './budget-definition.js';
import { BudgetSet } from './budget-set.js';
import type { TurnReply } from './budget-counters.js';
import type { Period } from '#libs/platform/zoned-time.js';
import type { Grant, ProcessHost } from './process-host.js';
import type { MovedCeilings } from './ceiling-mirror.js';
import { rowText, type RowState } from './row-text.js';
import { TurnMessage } from './turn-message.js';

/** A request that this process cannot decide alone: asked of Redis, parked, asked again. */
interface Ask {
  readonly admission: Admission;
  readonly accounts: readonly Account[];
  readonly minNanos: number;
  readonly wantNanos: number;
  readonly isExtension: boolean;
  readonly askUntilMs: number;
  readonly storeUntilMs: number;
  short: Account | null;
  tries: number;
  resolve(refusal: Refusal | null): void;
}

/** A refusal is remembered for so long: an exhausted budget costs no calls to Redis. */
const DRY_MS = 100;
const LOOK_EVERY_MS = 200;
const EVICT_EVERY_MS = 60_000;
const LEAST_TRIES = 3;

/**
 * The budgets of one organisation in this process. Most calls are decided in memory, all budgets of a call or none; the
 * others go to Redis, one message under way at a time and at most one per event-loop turn.
 */
export class OrgBudgets {
  readonly orgId: string;
  readonly #host: ProcessHost;
  readonly #book: AccountBook;
  #queue: Ask[] = [];
  #parked: Ask[] = [];
  #gen: string | null = null;
  #seq = 0;
  #isBusy = false;
  #isOpen = false;
  #isClosing = false;
  #isJoining = false;
  #leaseUntilMs = 0;
  #lastOkMs = 0;
  #lastLookMs = 0;
  #lastEvictMs = 0;
  /** Store time minus monotonic time. */
  #storeAheadMs: number;

  constructor(orgId: string, host: ProcessHost) {
    this.orgId = orgId;
    this.#host = host;
    this.#book = new AccountBook(() => host.schedule());
    this.#storeAheadMs = host.wallMs() - host.nowMs();
    host.counters.onRecall(orgId, (field) => this.#book.recall(field, host.nowMs()));
  }

  /** Registers this process; calls wait for it, at most `storeWaitMs`. */
  start(): void {
    void this.#join(true);
  }

  /** Time by the store's clock: every process cuts periods with the same. */
  storeNowMs(): number {
    return this.#host.nowMs() + this.#storeAheadMs;
  }

  /** True while counters are known to be right and may rise. */
  get isReady(): boolean {
    return this.#gen !== null && this.#isOpen && this.#host.nowMs() < this.#leaseUntilMs;
  }

  compile(definitions: readonly BudgetDefinition[]): BudgetSet {
    return new BudgetSet(this, definitions);
  }

  periodOf(budget: BudgetDefinition, nowMs: number): Period {
    return this.#host.periodOf(budget, nowMs);
  }

  accountOf(budget: BudgetDefinition, period: Period): Account {
    return this.#book.of(budget, period);
  }

  admit(request: AdmitRequest): Admission | Refusal | Promise<Admission | Refusal> {
    const { minNanos, wantNanos, set } = request;
    if (!this.#host.takesCalls() || !isAmount(wantNanos) || !isAmount(minNanos)) return this.#refuse('store', null);
    const nowMs = this.#host.nowMs();
    const accounts = set.turnTo(this.storeNowMs());
    const admission = new Admission(request, accounts, wantNanos);
    if (this.#mayDecide(admission, nowMs) && this.#book.take(accounts, wantNanos, nowMs)) {
      this.#host.stats.local += 1;
      admission.written = new Promise((resolve) => this.#grant(admission, wantNanos, false, resolve));
      return admission;
    }
    const dry = this.#dryOf(accounts, minNanos, wantNanos, nowMs);
    if (dry !== null) return this.#refuse('budget', dry);
    return new Promise((resolve) => {
      this.#wait(
        this.#ask(admission, Math.min(minNanos, wantNanos), wantNanos, (refusal) => resolve(refusal ?? admission)),
      );
    });
  }

  /** More for a call that runs: true when it is set aside in all its budgets and written, false when not. */
  async extend(admission: Admission, moreNanos: number): Promise<boolean> {
    if (admission.isOver || !this.#host.takesCalls() || !isAmount(moreNanos)) return false;
    const nowMs = this.#host.nowMs();
    if (this.#mayDecide(admission, nowMs) && this.#book.take(admission.accounts, moreNanos, nowMs)) {
      admission.boundNanos += moreNanos;
      return new Promise((resolve) => this.#grant(admission, moreNanos, true, resolve));
    }
    if (this.#dryOf(admission.accounts, moreNanos, moreNanos, nowMs) !== null) return false;
    return new Promise((resolve) => {
      this.#wait({
        ...this.#ask(admission, moreNanos, moreNanos, (refusal) => resolve(refusal === null)),
        isExtension: true,
      });
    });
  }

  /** @param costNanos what the provider reported; `null`: unknown, the row stays `unknown` at `mostNanos`, or at `seenNanos` */
  settle(admission: Admission, costNanos: number | null, event: string, seenNanos: number, mostNanos: number): void {
    if (admission.isOver) return;
    const isKnown = costNanos !== null && isAmount(costNanos);
    if (costNanos !== null && !isKnown) this.#host.stats.invalidCosts += 1;
    const atLeast = isAmount(seenNanos) ? seenNanos : 0;
    const cost = isKnown ? costNanos : Math.max(Math.min(mostNanos, admission.boundNanos), atLeast);
    if (cost > admission.boundNanos) this.#host.stats.aboveBound += 1;
    this.#end(admission, cost, isKnown ? 'settled' : 'unknown', event);
  }

  /** Nothing was sent upstream: no row, and the money is free again. */
  cancel(admission: Admission): void {
    if (!admission.isOver) this.#end(admission, 0, 'void', admission.draft);
  }

  /** The file has the intents of this turn. False: the lease ended meanwhile, what was granted is taken back. */
  confirm({ admission, amountNanos, isExtension }: Grant, nowMs: number): boolean {
    if (admission.isOver || this.#mayDecide(admission, nowMs)) return true;
    if (isExtension) this.takeBack(admission, amountNanos, true);
    else this.cancel(admission); // the intent in the file must not count
    return false;
  }

  /** The disk refused this turn: no intent of it stands anywhere. */
  takeBack(admission: Admission, amountNanos: number, isExtension: boolean): void {
    if (admission.isOver) return;
    this.#book.release(admission.accounts, amountNanos, 0);
    if (isExtension) {
      admission.boundNanos -= amountNanos;
      return;
    }
    admission.isOver = true;
    if (admission.intent !== null) this.#host.spool.forget(admission.intent);
  }

  get hasWords(): boolean {
    return this.#queue.length > 0 || this.#book.touched.size > 0;
  }

  /** Every 20 ms: parked requests ask again, idle slices go back, a silent organisation renews its lease. */
  tick(nowMs: number): void {
    if (this.#parked.length > 0 && !this.#isBusy) {
      const parked = this.#parked;
      this.#parked = [];
      for (const ask of parked) this.#retry(ask, nowMs);
    }
    if (nowMs - this.#lastLookMs > LOOK_EVERY_MS) {
      this.#lastLookMs = nowMs;
      this.#book.lookForIdle(nowMs, this.#host.times.parkMs);
    }
    if (nowMs - this.#lastEvictMs > EVICT_EVERY_MS) {
      this.#lastEvictMs = nowMs;
      this.#book.evictEnded([this.storeNowMs(), this.#host.wallMs()]);
    }
    if (this.hasWords || nowMs - this.#lastOkMs > this.#host.times.ttlMs / 4) this.send();
  }

  /** One message under way at a time; each states the whole truth about its accounts. */
  send(): void {
    if (this.#isBusy || this.#gen === null) return;
    this.#isBusy = true;
    const { times, counters, processId, stats } = this.#host;
    const nowMs = this.#host.nowMs();
    const message = new TurnMessage(this.#queue, this.#book.touched);
    const args = message.args([this.#gen, (this.#seq += 1), times.ttlMs, times.share], nowMs, times.parkMs);
    stats.turns += 1;
    counters.turn(this.orgId, this.#gen, processId, args).then(
      (reply) => this.#onReply(reply, message, nowMs),
      () => {
        stats.timeouts += 1;
        this.#undecided(message);
      },
    );
  }

  /** Ceilings for the ledger's mirror that moved since the last call. */
  takeMoved(): MovedCeilings {
    const { ceilings, restore } = this.#book.takeMoved();
    return { ceilings: ceilings.map(([field, nanos]) => ({ orgId: this.orgId, field, nanos })), restore };
  }

  /** Gives back all slices; true when that has arrived and nothing is under way. */
  giveBack(): boolean {
    this.#book.giveBack();
    if (this.hasWords) this.send();
    return this.#gen !== null && !this.#isBusy && !this.hasWords;
  }

  /** No more joining; what waits is refused. */
  end(): void {
    this.#isClosing = true;
    for (const ask of [...this.#queue, ...this.#parked]) ask.resolve(this.#refuse('store', null));
    this.#queue = [];
    this.#parked = [];
  }

  #ask(admission: Admission, minNanos: number, wantNanos: number, resolve: Ask['resolve']): Ask {
    const { recallWaitMs, storeWaitMs } = this.#host.times;
    const nowMs = this.#host.nowMs();
    const { accounts } = admission;
    const until = { askUntilMs: nowMs + recallWaitMs, storeUntilMs: nowMs + storeWaitMs };
    return { admission, accounts, minNanos, wantNanos, isExtension: false, ...until, short: null, tries: 0, resolve };
  }

  #mayDecide(admission: Admission, nowMs: number): boolean {
    return nowMs < this.#leaseUntilMs || !admission.set.hasHard;
  }

  #grant(admission: Admission, amountNanos: number, isExtension: boolean, done: (ok: boolean) => void): void {
    const row = rowText(admission, this.#host.processId, 'unknown', admission.boundNanos, admission.draft);
    if (admission.intent !== null) this.#host.spool.amend(row, admission.intent);
    else admission.intent = this.#host.spool.intent(row);
    this.#host.deliver({ admission, amountNanos, isExtension, done });
  }

  #dryOf(accounts: readonly Account[], minNanos: number, wantNanos: number, nowMs: number): Account | null {
    for (const account of accounts) {
      const need = account.mode === CLAMP ? minNanos : wantNanos;
      if (account.dryUntilMs > nowMs && need >= account.dryNeed && account.slack < account.dryNeed) return account;
    }
    return null;
  }

  #wait(ask: Ask): void {
    const nowMs = this.#host.nowMs();
    for (const account of ask.accounts) {
      account.waiting += ask.wantNanos;
      account.lastUseMs = nowMs;
    }
    this.#queue.push(ask);
    this.#host.schedule();
  }

  #refuse(reason: Refusal['reason'], account: Account | null): Refusal {
    if (reason === 'store') this.#host.stats.refusedByStore += 1;
    else this.#host.stats.refusedByBudget += 1;
    return { ok: false, reason, budget: account === null ? null : stateOf(account) };
  }

  #end(admission: Admission, cost: number, state: RowState, event: string): void {
    admission.isOver = true;
    this.#book.release(admission.accounts, admission.boundNanos, cost);
    const row = rowText(admission, this.#host.processId, state, cost, event);
    if (admission.intent !== null) this.#host.spool.settle(row, admission.intent);
    this.#host.schedule();
  }

  #retry(ask: Ask, nowMs: number): void {
    if (ask.admission.isOver) return ask.resolve(this.#refuse('store', null)); // ended while it asked for more
    if (this.#mayDecide(ask.admission, nowMs) && this.#book.take(ask.accounts, ask.wantNanos, nowMs)) {
      return this.#granted(ask, ask.wantNanos);
    }
    const { short } = ask;
    const untilMs = this.#isOpen ? ask.askUntilMs : ask.storeUntilMs;
    if (nowMs > untilMs && short !== null && ask.tries >= LEAST_TRIES) {
      short.dryUntilMs = nowMs + DRY_MS;
      short.dryNeed = short.mode === CLAMP ? ask.minNanos : ask.wantNanos;
      return ask.resolve(this.#refuse('budget', short));
    }
    if (nowMs > ask.storeUntilMs || this.#isClosing) return ask.resolve(this.#refuse('store', null));
    this.#wait(ask);
  }

  /** The money is held; the caller hears of it when the file has the intent. */
  #granted(ask: Ask, amount: number): void {
    const { admission, isExtension } = ask;
    admission.boundNanos = isExtension ? admission.boundNanos + amount : amount;
    this.#grant(admission, amount, isExtension, (ok) => ask.resolve(ok ? null : this.#refuse('store', null)));
  }

  #onReply(reply: TurnReply, message: TurnMessage<Ask>, sentMs: number): void {
    if (reply.status !== 'OK') {
      this.#undecided(message);
      if (reply.status === 'OLD') return;
      this.#gen = null;
      this.#isOpen = false;
      this.#host.stats.rejoins += 1;
      void this.#join(false);
      return;
    }
    this.#isBusy = false;
    this.#isOpen = reply.open;
    this.#lastOkMs = sentMs;
    this.#leaseUntilMs = sentMs + this.#host.times.ttlMs; // from the sending: never longer than Redis thinks
    this.#storeAheadMs = reply.nowMs - this.#host.nowMs();
    message.apply(reply);
    for (const account of message.accounts) this.#book.moved(account);
    for (const [n, ask] of message.requests.entries()) this.#decided(ask, reply.grants[n] as number, message, sentMs);
    if (this.hasWords) this.#host.schedule();
  }

  #decided(ask: Ask, got: number, message: TurnMessage<Ask>, nowMs: number): void {
    for (const account of ask.accounts) account.waiting -= ask.wantNanos;
    if (got > 0 || (got === 0 && ask.wantNanos === 0)) {
      if (ask.admission.isOver) {
        for (const account of ask.accounts) this.#book.touched.add(account);
        return ask.resolve(this.#refuse('store', null));
      }
      for (const account of ask.accounts) account.held += got;
      return this.#granted(ask, got);
    }
    const short = message.accounts[-got - 1] as Account;
    ask.short = short;
    ask.tries += 1;
    if (this.#isOpen) short.tighten(nowMs);
    for (const account of ask.accounts) if (account !== short) this.#book.touched.add(account); // what the others got goes back
    this.#parked.push(ask);
  }

  /** Applied or not: the next message decides, it states the same truth under a higher number. */
  #undecided(message: TurnMessage<Ask>): void {
    this.#isBusy = false;
    for (const account of message.accounts) this.#book.touched.add(account);
    for (const ask of message.requests) {
      for (const account of ask.accounts) account.waiting -= ask.wantNanos;
      this.#parked.push(ask);
    }
  }

  /** Registers, again and again until it works; a closed process is told so once. Never rejects. */
  async #join(isNew: boolean): Promise<void> {
    if (this.#isJoining) return;
    this.#isJoining = true;
    for (let pauseMs = 50; !this.#isClosing; pauseMs = Math.min(pauseMs * 2, 500)) {
      try {
        await this.#enter(isNew);
        break;
      } catch (error) {
        if (pauseMs === 50)
          this.#host.logger.warn({ err: error, orgId: this.orgId }, 'budgets cannot be joined yet, trying again');
        await sleep(pauseMs);
      }
    }
    this.#isJoining = false;
    if (this.#gen !== null) this.send();
  }

  async #enter(isNew: boolean): Promise<void> {
    const { processId, ledger, times } = this.#host;
    const sentMs = this.#host.nowMs();
    const ceilings = this.#book.ceilings();
    const mirrorSeq = this.#host.nextMirrorSeq();
    const reply = await ledger.enter(this.orgId, {
      processId,
      seq: this.#seq,
      mirrorSeq,
      ttlMs: times.ttlMs,
      ceilings,
      isNew,
    });
    if (reply.state === 'closed') return this.#host.wasClosed(this.orgId);
    this.#gen = reply.gen;
    this.#leaseUntilMs = sentMs + times.ttlMs;
    this.#lastOkMs = sentMs;
  }
}

function isAmount(nanos: number): boolean {
  return Number.isSafeInteger(nanos) && nanos >= 0 && nanos <= MOST_NANOS;
}
