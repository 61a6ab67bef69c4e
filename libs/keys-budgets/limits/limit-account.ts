import type { LimitAnswer, LimitAsk } from './limit-counters.js';
import type { LimitScope } from './limit-scope.js';
import { RateMeter } from './rate-meter.js';
import { SlotMeter } from './slot-meter.js';

/** What a call takes of a scope, as bits: what it has got, or what it lacks. */
export const REQUEST = 1;
export const TOKENS = 2;
export const SLOT = 4;

export type Measure = 'rpm' | 'tpm' | 'max_parallel';

/** Why a scope lets a call not pass. */
export interface Shortage {
  readonly account: LimitAccount;
  readonly measure: Measure;
  readonly waitMs: number;
}

/** Concurrency: nobody knows when a call ends, but it is soon. */
const SLOT_WAIT_MS = 1_000;
/** Nobody has used it for so long: it can be forgotten. */
const FORGET_MS = 120_000;

/** One scope's limits in this process. */
export class LimitAccount {
  scope: LimitScope;
  requests: RateMeter | null = null;
  tokens: RateMeter | null = null;
  slots: SlotMeter | null = null;
  /** What a call takes here, as bits. */
  measures = 0;
  usedMs = 0;

  constructor(scope: LimitScope) {
    this.scope = scope;
    this.configure(scope);
  }

  /** Takes changed limits over; what has been used stays counted. */
  configure(scope: LimitScope): void {
    this.scope = scope;
    const { rpm, tpm, maxParallel } = scope.limits;
    this.requests = rated(this.requests, rpm);
    this.tokens = rated(this.tokens, tpm);
    // Without a limit the meter stays until the calls it counts are over.
    if (maxParallel !== null && this.slots === null) this.slots = new SlotMeter(maxParallel);
    else if (maxParallel !== null && this.slots !== null) this.slots.limit = maxParallel;
    this.measures = (rpm === null ? 0 : REQUEST) | (tpm === null ? 0 : TOKENS) | (maxParallel === null ? 0 : SLOT);
  }

  /** What the process knows to be out of reach without asking; `null`: nothing. */
  knownShortage(tokens: number, nowMs: number): Shortage | null {
    const forRequest = this.requests?.refusal(1, nowMs) ?? 0;
    if (forRequest > 0) return { account: this, measure: 'rpm', waitMs: forRequest };
    const forTokens = this.tokens?.refusal(tokens, nowMs) ?? 0;
    if (forTokens > 0) return { account: this, measure: 'tpm', waitMs: forTokens };
    if ((this.measures & SLOT) !== 0 && this.slots?.isFull === true) return this.shortageOf(SLOT, nowMs);
    return null;
  }

  /** Takes of `wanted` what is in hand. @returns the bits that are not */
  take(wanted: number, tokens: number, nowMs: number): number {
    this.usedMs = nowMs;
    let lacking = 0;
    if ((wanted & REQUEST) !== 0 && this.requests?.take(1, nowMs) !== true) lacking |= REQUEST;
    if ((wanted & TOKENS) !== 0 && this.tokens?.take(tokens, nowMs) !== true) lacking |= TOKENS;
    if ((wanted & SLOT) !== 0 && this.slots?.take() !== true) lacking |= SLOT;
    return lacking;
  }

  /** Asks for what a call lacks with the next message. */
  request(lacking: number, tokens: number): void {
    if ((lacking & REQUEST) !== 0 && this.requests !== null) this.requests.need += 1;
    if ((lacking & TOKENS) !== 0 && this.tokens !== null) this.tokens.need += tokens;
    if ((lacking & SLOT) !== 0 && this.slots !== null) this.slots.need += 1;
  }

  shortageOf(lacking: number, nowMs: number): Shortage {
    if ((lacking & REQUEST) !== 0) return { account: this, measure: 'rpm', waitMs: this.requests?.waitMs(nowMs) ?? 1 };
    if ((lacking & TOKENS) !== 0) return { account: this, measure: 'tpm', waitMs: this.tokens?.waitMs(nowMs) ?? 1 };
    return { account: this, measure: 'max_parallel', waitMs: SLOT_WAIT_MS };
  }

  /**
   * While the shared counters are away: takes everything for a call from this process's part, or nothing.
   * @returns what is short, as a bit; 0: nothing
   */
  takeShare(tokens: number, replicas: number, nowMs: number): number {
    this.usedMs = nowMs;
    if ((this.measures & SLOT) !== 0 && this.slots?.takeShare(replicas) !== true) return SLOT;
    if ((this.measures & REQUEST) !== 0 && this.requests?.takeShare(1, replicas, nowMs) !== true) {
      if ((this.measures & SLOT) !== 0) this.slots?.release();
      return REQUEST;
    }
    if ((this.measures & TOKENS) !== 0 && this.tokens?.takeShare(tokens, replicas, nowMs) !== true) {
      if ((this.measures & SLOT) !== 0) this.slots?.release();
      if ((this.measures & REQUEST) !== 0) this.requests?.giveBack(1, 0, nowMs);
      return TOKENS;
    }
    return 0;
  }

  /** There is something the counters should hear soon. */
  wantsToSay(replicas: number): boolean {
    return (
      this.requests?.isLow === true ||
      this.tokens?.isLow === true ||
      this.slots?.isLow === true ||
      this.isHoarding(replicas)
    );
  }

  /** More slots lie idle here than may. */
  isHoarding(replicas: number): boolean {
    return this.slots?.isHoarding(replicas) === true;
  }

  /** Nothing is leased, held or to be said. */
  get isAtRest(): boolean {
    const isIdle = this.slots === null || (this.slots.used === 0 && this.slots.ceiling === 0);
    return isIdle && (this.requests?.units ?? 0) === 0 && (this.tokens?.units ?? 0) === 0;
  }

  /** Nobody waits for the next answer any more. */
  dropNeed(): void {
    for (const meter of [this.requests, this.tokens, this.slots]) if (meter !== null) meter.need = 0;
  }

  get hasFixes(): boolean {
    return this.requests?.hasFixes === true || this.tokens?.hasFixes === true;
  }

  ask(replicas: number, nowMs: number): LimitAsk {
    const ask = {
      scopeId: this.scope.id,
      requests: this.requests?.ask(nowMs) ?? null,
      tokens: this.tokens?.ask(nowMs) ?? null,
      slots: this.slots?.ask(replicas, nowMs) ?? null,
    };
    if ((this.measures & SLOT) === 0 && this.slots?.used === 0) this.slots = null; // the last of them has been told
    return ask;
  }

  answered(answer: LimitAnswer, at: { sentMs: number; nowMs: number; second: number }): void {
    if (answer.requests !== null) this.requests?.answered(answer.requests, at);
    if (answer.tokens !== null) this.tokens?.answered(answer.tokens, at);
    if (answer.slots !== null) this.slots?.answered(answer.slots);
  }

  unanswered(ask: LimitAsk): void {
    if (ask.requests !== null) this.requests?.unanswered(ask.requests);
    if (ask.tokens !== null) this.tokens?.unanswered(ask.tokens);
  }

  /** Leftovers that are too many to keep go back. */
  returnIdle(replicas: number): void {
    this.requests?.returnIdle(replicas);
    this.tokens?.returnIdle(replicas);
  }

  /** The shared counters have lost their memory: says again what this process knows. */
  recount(nowMs: number): void {
    this.requests?.recount(nowMs);
    this.tokens?.recount(nowMs);
  }

  isForgettable(nowMs: number): boolean {
    return nowMs - this.usedMs > FORGET_MS && (this.slots === null || this.slots.used === 0) && !this.hasFixes;
  }
}

function rated(meter: RateMeter | null, limit: number | null): RateMeter | null {
  if (limit === null) return null;
  if (meter === null) return new RateMeter(limit);
  meter.limit = limit;
  return meter;
}
