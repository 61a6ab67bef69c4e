import { LimitAccount, REQUEST, TOKENS, type Shortage } from './limit-account.js';
import type { LimitAsk, LimitCounters, LimitReply } from './limit-counters.js';
import type { LimitScope } from './limit-scope.js';
import { giveBack, LimitRefusal, LimitTicket, settle, type TicketHome } from './limit-ticket.js';

/** How often accounts are looked after: leases that ran out, slots nobody uses. */
export const TICK_MS = 100;
/** A process says at least so often that it lives, and learns how many others do. */
const HEARTBEAT_MS = 1_000;
/** How often it is tried whether the counters are back. */
const PROBE_MS = 250;
/** Slots may lie idle elsewhere for a moment: a call that lacks one asks once more before it is refused. */
const SECOND_TRY_MS = 30;
/** Slots that are held for long are said again, so that the store does not forget them. */
const REPEAT_MS = 600_000;
/** Accounts that are said again in one message. */
const MOST_REPEATED = 200;
/** Accounts one process keeps; full-policy: those without calls are forgotten early. */
const MOST_ACCOUNTS = 100_000;
const FORGET_EVERY_MS = 30_000;

interface Waiter {
  readonly ticket: LimitTicket;
  /** What each account still owes, as bits. */
  readonly lacking: number[];
  readonly isSecondTry: boolean;
  readonly resolve: (ticket: LimitTicket) => void;
  readonly reject: (refusal: LimitRefusal) => void;
}

/** What a process counts of its limits. */
export interface LimitStats {
  /** Calls let in without asking, after asking, and on this process's own part. */
  local: number;
  asked: number;
  byShare: number;
  refused: number;
  messages: number;
}

export interface OrgLimitsOptions {
  readonly orgId: string;
  readonly processId: string;
  readonly counters: LimitCounters;
  readonly stats: LimitStats;
  /** Monotonic ms. */
  readonly nowMs: () => number;
  readonly onAway: (isAway: boolean, error: unknown) => void;
}

/**
 * The rate limits of one organisation in this process. A call is decided here when all its scopes have leased units and slots
 * in hand; else it waits for the one message that leaves at the end of the event-loop turn (or after the answer of the one
 * under way). While the counters are away each process lets in its part: the limit divided by the live processes.
 */
export class OrgLimits implements TicketHome {
  readonly #options: OrgLimitsOptions;
  readonly #accounts = new Map<string, LimitAccount>();
  /** To be spoken of in the next message. */
  readonly #dirty = new Set<LimitAccount>();
  /** With leases or slots that have to be looked after. */
  readonly #watched = new Set<LimitAccount>();
  #waiters: Waiter[] = [];
  #seq = 0;
  #replicas = 1;
  #epoch: string | null = null;
  #isAway = false;
  #isScheduled = false;
  #isUnderWay = false;
  #sentMs = -Infinity;
  #lookedMs = 0;
  #forgotMs = 0;
  #repeating: LimitAccount[] = [];

  constructor(options: OrgLimitsOptions) {
    this.#options = options;
  }

  /**
   * Lets a call in, or throws or rejects with a `LimitRefusal`.
   * @param tokens counted beforehand for every scope with a token limit
   */
  admit(scopes: readonly LimitScope[], tokens: number): LimitTicket | Promise<LimitTicket> {
    const nowMs = this.#options.nowMs();
    const accounts = scopes.map((scope) => this.#accountOf(scope));
    const ticket = new LimitTicket(this, accounts, tokens);
    if (this.#isAway) return this.#admitByShare(ticket, nowMs);
    const shortage = knownShortage(ticket, nowMs);
    if (shortage !== null) throw this.#refusal(ticket, shortage);
    const lacking = this.#take(ticket, nowMs);
    if (lacking !== null) {
      return new Promise((resolve, reject) => this.#wait({ ticket, lacking, isSecondTry: false, resolve, reject }));
    }
    this.#options.stats.local += 1;
    return ticket;
  }

  over(ticket: LimitTicket, tokens: number | null): void {
    settle(ticket, tokens, this.#options.nowMs());
    this.#tellIfNeeded(ticket.accounts);
  }

  cancelled(ticket: LimitTicket): void {
    giveBack(ticket, this.#options.nowMs());
    this.#tellIfNeeded(ticket.accounts);
  }

  /** What is due now and then; never rejects. */
  tick(): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#sentMs >= (this.#isAway ? PROBE_MS : HEARTBEAT_MS)) this.#send(true);
    if (this.#isAway) return;
    const isLookDue = nowMs - this.#lookedMs >= 1_000;
    if (isLookDue) this.#lookedMs = nowMs;
    for (const account of this.#watched) this.#lookAfter(account, isLookDue, nowMs);
    if (nowMs - this.#forgotMs >= FORGET_EVERY_MS || this.#accounts.size > MOST_ACCOUNTS) this.#forget(nowMs);
    this.#repeat();
    if (this.#dirty.size > 0) this.#schedule();
  }

  #lookAfter(account: LimitAccount, isLookDue: boolean, nowMs: number): void {
    const { requests, tokens, slots } = account;
    requests?.expire(nowMs);
    tokens?.expire(nowMs);
    const canReturn = isLookDue && slots?.lookAgain() === true;
    const isOld = slots !== null && slots.used > 0 && nowMs - slots.saidMs > REPEAT_MS;
    if (account.hasFixes || canReturn || isOld) this.#dirty.add(account);
    else if (account.isAtRest) this.#watched.delete(account);
  }

  #forget(nowMs: number): void {
    this.#forgotMs = nowMs;
    for (const [id, account] of this.#accounts) {
      if (account.isForgettable(nowMs) && !this.#dirty.has(account)) this.#accounts.delete(id);
    }
  }

  /** After a break everything is said again, a part at a time. */
  #repeat(): void {
    for (const account of this.#repeating.splice(0, MOST_REPEATED)) this.#dirty.add(account);
  }

  #accountOf(scope: LimitScope): LimitAccount {
    const known = this.#accounts.get(scope.id);
    if (known === undefined) {
      const account = new LimitAccount(scope);
      this.#accounts.set(scope.id, account);
      return account;
    }
    if (known.scope !== scope) known.configure(scope);
    return known;
  }

  /** Takes all that is in hand. @returns what each account lacks, `null` when nothing does */
  #take(ticket: LimitTicket, nowMs: number): number[] | null {
    let lacking: number[] | null = null;
    for (let i = 0; i < ticket.accounts.length; i++) {
      const account = ticket.accounts[i] as LimitAccount;
      const wanted = account.measures;
      const missing = account.take(wanted, ticket.tokens, nowMs);
      this.#watched.add(account);
      noteSeconds(ticket, i, wanted & ~missing);
      if (missing !== 0) {
        lacking ??= ticket.accounts.map(() => 0);
        lacking[i] = missing;
      }
      if (missing === 0 && account.wantsToSay(this.#replicas)) this.#tell(account);
    }
    return lacking;
  }

  #wait(waiter: Waiter): void {
    for (const [index, account] of waiter.ticket.accounts.entries()) {
      const lacking = waiter.lacking[index] as number;
      if (lacking === 0) continue;
      account.request(lacking, waiter.ticket.tokens);
      this.#dirty.add(account);
    }
    this.#waiters.push(waiter);
    this.#schedule();
  }

  /** Slots go back at once where they are scarce; corrections leave with the next tick. */
  #tellIfNeeded(accounts: readonly LimitAccount[]): void {
    for (const account of accounts) {
      if (account.isHoarding(this.#replicas)) this.#tell(account);
      else if (account.hasFixes) this.#watched.add(account);
    }
  }

  #tell(account: LimitAccount): void {
    this.#dirty.add(account);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isUnderWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#send(false);
    });
  }

  /** One message at a time: what is said in it is absolute and must not be overtaken by its own answer. */
  #send(isHeartbeat: boolean): void {
    if (this.#isUnderWay) return;
    if (this.#dirty.size === 0 && this.#waiters.length === 0 && !isHeartbeat) return;
    const nowMs = this.#options.nowMs();
    const waiters = this.#waiters;
    this.#waiters = [];
    // A probe says nothing: its words would be lost again.
    const accounts = this.#isAway ? [] : [...this.#dirty];
    if (!this.#isAway) this.#dirty.clear();
    const asks = accounts.map((account) => account.ask(this.#replicas, nowMs));
    const { orgId, processId, counters, stats } = this.#options;
    this.#isUnderWay = true;
    this.#sentMs = nowMs;
    stats.messages += 1;
    counters.run({ orgId, processId, seq: ++this.#seq, asks }).then(
      (reply) => this.#answered({ reply, accounts, sentMs: nowMs }, waiters),
      (error: unknown) => this.#unanswered(asks, accounts, waiters, error),
    );
  }

  #answered(sent: Sent, waiters: readonly Waiter[]): void {
    const { reply, accounts, sentMs } = sent;
    const nowMs = this.#options.nowMs();
    this.#isUnderWay = false;
    if (this.#isAway) {
      this.#isAway = false;
      this.#options.onAway(false, null);
    }
    this.#replicas = reply.replicas;
    const at = { sentMs, nowMs, second: Math.floor(reply.nowMs / 1000) };
    for (const [index, account] of accounts.entries()) {
      const answer = reply.answers[index];
      if (answer !== undefined) account.answered(answer, at);
    }
    for (const waiter of waiters) this.#finish(waiter, nowMs);
    for (const account of accounts) {
      account.returnIdle(this.#replicas);
      if (account.hasFixes || account.isHoarding(this.#replicas)) this.#dirty.add(account);
    }
    this.#catchUp(reply, nowMs);
    if (this.#dirty.size > 0 || this.#waiters.length > 0) this.#schedule();
  }

  /** The store forgot this process, or everything: what is held and was used is said again. */
  #catchUp({ joined, epoch }: LimitReply, nowMs: number): void {
    const lostMemory = this.#epoch !== null && this.#epoch !== epoch;
    this.#epoch = epoch;
    if (!joined && !lostMemory) return;
    if (lostMemory) for (const account of this.#accounts.values()) account.recount(nowMs);
    this.#repeating = [...this.#accounts.values()];
  }

  #unanswered(
    asks: readonly LimitAsk[],
    accounts: readonly LimitAccount[],
    waiters: readonly Waiter[],
    error: unknown,
  ): void {
    this.#isUnderWay = false;
    for (const [index, account] of accounts.entries()) {
      account.unanswered(asks[index] as LimitAsk);
      this.#dirty.add(account);
    }
    if (!this.#isAway) {
      this.#isAway = true;
      this.#options.onAway(true, error);
    }
    const nowMs = this.#options.nowMs();
    for (const waiter of [...waiters, ...this.#waiters.splice(0)]) {
      giveBack(waiter.ticket, nowMs);
      for (const account of waiter.ticket.accounts) account.dropNeed();
      this.#finishByShare(waiter, nowMs);
    }
  }

  #finishByShare({ ticket, resolve, reject }: Waiter, nowMs: number): void {
    try {
      resolve(this.#admitByShare(ticket, nowMs));
    } catch (refusal) {
      reject(refusal as LimitRefusal);
    }
  }

  /** Gives a waiting call what it lacked, or refuses it. */
  #finish(waiter: Waiter, nowMs: number): void {
    const { ticket, lacking, isSecondTry, resolve, reject } = waiter;
    let shortage: Shortage | null = null;
    for (const [index, account] of ticket.accounts.entries()) {
      const missing = account.take(lacking[index] as number, ticket.tokens, nowMs);
      noteSeconds(ticket, index, (lacking[index] as number) & ~missing);
      if (missing === 0) continue;
      const found = account.shortageOf(missing, nowMs);
      if (shortage === null || found.waitMs > shortage.waitMs) shortage = found;
    }
    if (shortage === null) {
      this.#options.stats.asked += 1;
      return resolve(ticket);
    }
    giveBack(ticket, nowMs);
    if (shortage.measure === 'max_parallel' && !isSecondTry && this.#replicas > 1) {
      setTimeout(() => this.#tryAgain(waiter), SECOND_TRY_MS);
      return;
    }
    reject(this.#refusal(ticket, shortage));
  }

  #tryAgain(waiter: Waiter): void {
    const { ticket, resolve, reject } = waiter;
    const nowMs = this.#options.nowMs();
    if (this.#isAway) return this.#finishByShare(waiter, nowMs);
    const shortage = knownShortage(ticket, nowMs);
    if (shortage !== null) return reject(this.#refusal(ticket, shortage));
    const lacking = this.#take(ticket, nowMs);
    if (lacking === null) resolve(ticket);
    else this.#wait({ ticket, lacking, isSecondTry: true, resolve, reject });
  }

  #admitByShare(ticket: LimitTicket, nowMs: number): LimitTicket {
    for (const [index, account] of ticket.accounts.entries()) {
      const short = account.takeShare(ticket.tokens, this.#replicas, nowMs);
      if (short !== 0) {
        giveBack(ticket, nowMs);
        // Without the counters nobody knows better than: soon.
        throw this.#refusal(ticket, { ...account.shortageOf(short, nowMs), waitMs: 1_000 });
      }
      ticket.held[index] = account.measures;
      ticket.requestSeconds[index] = 0;
      ticket.tokenSeconds[index] = 0;
      this.#watched.add(account);
    }
    this.#options.stats.byShare += 1;
    return ticket;
  }

  #refusal(ticket: LimitTicket, shortage: Shortage): LimitRefusal {
    this.#options.stats.refused += 1;
    return new LimitRefusal(ticket.accounts, shortage);
  }
}

interface Sent {
  readonly reply: LimitReply;
  readonly accounts: readonly LimitAccount[];
  readonly sentMs: number;
}

/** Adds to what a ticket holds of an account, with the seconds in which it was counted. */
function noteSeconds(ticket: LimitTicket, index: number, taken: number): void {
  const account = ticket.accounts[index] as LimitAccount;
  ticket.held[index] = (ticket.held[index] as number) | taken;
  if ((taken & REQUEST) !== 0) ticket.requestSeconds[index] = account.requests?.second ?? 0;
  if ((taken & TOKENS) !== 0) ticket.tokenSeconds[index] = account.tokens?.second ?? 0;
}

/** What is known to be out of reach without asking; `null`: nothing. */
function knownShortage({ accounts, tokens }: LimitTicket, nowMs: number): Shortage | null {
  for (const account of accounts) {
    const shortage = account.knownShortage(tokens, nowMs);
    if (shortage !== null) return shortage;
  }
  return null;
}
