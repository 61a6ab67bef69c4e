import { LEASE_MS, type RateAnswer, type RateAsk } from './limit-counters.js';
import { OwnWindow } from './own-window.js';

/** Fewer uses a second than this are asked for one by one: a lease would only lie about. */
const BUSY = 8;
/** A refusal is believed without asking again for so long, so that a flood of refused calls costs the store nothing. */
const BELIEVE_MS = 200;

/**
 * One rate (requests or tokens) of one scope in this process. Units are leased from the shared counters, where they count
 * from the moment they are granted, and used within `LEASE_MS` or given back.
 */
export class RateMeter {
  limit: number;
  /** Leased and not used. */
  units = 0;
  /** Units that waiting calls lack; asked for with the next message. */
  need = 0;
  /** What nobody has, as last heard; `null`: never asked. */
  left: number | null = null;
  readonly own = new OwnWindow();
  /** Store second in which the leased units were counted; 0: none, as for units of a share. */
  second = 0;
  #untilMs = -Infinity;
  #isAsked = false;
  #lot = 0;
  #refusedUnits = Infinity;
  #refusedUntilMs = -Infinity;
  #freeAtMs = 0;
  readonly #fixes = new Map<number, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get hasFixes(): boolean {
    return this.#fixes.size > 0;
  }

  /** Half of what should be in hand is gone, and nobody has asked for more yet. */
  get isLow(): boolean {
    return !this.#isAsked && this.units * 2 < this.#lot;
  }

  /** Takes leased units for a call; false when there are too few. */
  take(units: number, nowMs: number): boolean {
    if (this.units < units || nowMs >= this.#untilMs) return false;
    this.units -= units;
    this.own.add(nowMs, units);
    return true;
  }

  /** Whether the store has said lately that so many units are not there: ms until they may be, else 0. */
  refusal(units: number, nowMs: number): number {
    if (nowMs >= this.#refusedUntilMs || units < this.#refusedUnits || this.units >= units) return 0;
    return Math.max(1, this.#freeAtMs - nowMs);
  }

  /** Waiting time after the answer that left a call without its units. */
  waitMs(nowMs: number): number {
    return Math.max(1, this.#freeAtMs - nowMs);
  }

  /** Units that were taken for a call that is not made. */
  giveBack(units: number, second: number, nowMs: number): void {
    this.own.add(nowMs, -units);
    if (second !== 0 && second === this.second && nowMs < this.#untilMs) this.units += units;
    else this.#fix(second, -units);
  }

  /** A call used more (or less) than was counted for it in a second. */
  correct(units: number, second: number, nowMs: number): void {
    this.own.add(nowMs, units);
    this.#fix(second, units);
  }

  /** The shared counters have lost their memory: what this process has used in the last minute counts from now on. */
  recount(nowMs: number): void {
    this.units = 0;
    this.#fixes.clear();
    this.#fix(0, this.own.sum(nowMs));
  }

  #fix(second: number, units: number): void {
    const sum = (this.#fixes.get(second) ?? 0) + units;
    if (sum === 0) this.#fixes.delete(second);
    else this.#fixes.set(second, sum);
  }

  /** Leased units whose time is over go back. */
  expire(nowMs: number): void {
    if (this.units === 0 || nowMs < this.#untilMs) return;
    this.#fix(this.second, -this.units);
    this.units = 0;
  }

  /** Takes the corrections and the need into a message. */
  ask(nowMs: number): RateAsk {
    this.expire(nowMs);
    const perSecond = this.own.lastSecond(nowMs);
    this.#lot = perSecond < BUSY ? 0 : Math.ceil(perSecond / 2);
    const want = this.units * 2 < this.#lot ? this.#lot - this.units : 0;
    const ask = { limit: this.limit, need: this.need, want, fixes: [...this.#fixes] };
    this.#fixes.clear();
    this.need = 0;
    this.#isAsked = true;
    return ask;
  }

  /** @param at monotonic times of the message and its answer, and the store's second in which it granted */
  answered(answer: RateAnswer, at: { sentMs: number; nowMs: number; second: number }): void {
    this.#isAsked = false;
    this.left = answer.left;
    if (answer.granted > 0) {
      if (this.units > 0 && this.second !== at.second) {
        this.#fix(this.second, -this.units);
        this.units = 0;
      }
      this.units += answer.granted;
      this.second = at.second;
      this.#untilMs = at.sentMs + LEASE_MS;
    }
    if (answer.waitMs > 0) {
      // All that was left has been granted; what of it nobody could use goes back and may serve smaller calls.
      this.#refusedUnits = answer.granted + 1;
      this.#refusedUntilMs = at.nowMs + Math.min(BELIEVE_MS, answer.waitMs);
      this.#freeAtMs = at.nowMs + answer.waitMs;
    }
  }

  /** The message had no answer: what it gave back stays given (nobody is let in too many), what it added is said again. */
  unanswered({ fixes }: RateAsk): void {
    this.#isAsked = false;
    for (const [second, units] of fixes) if (units > 0) this.#fix(second, units);
  }

  /** More than may lie about when little is left goes back at once. */
  returnIdle(replicas: number): void {
    const idle = replicas === 1 ? Infinity : Math.floor(((this.left ?? 0) + this.units) / (8 * replicas));
    if (this.units <= idle) return;
    this.#fix(this.second, idle - this.units);
    this.units = idle;
  }

  /** One process's part while nobody can be asked: of the limit, less what it has used itself. */
  takeShare(units: number, replicas: number, nowMs: number): boolean {
    if (this.own.sum(nowMs) + units > Math.max(1, Math.floor(this.limit / replicas))) return false;
    this.own.add(nowMs, units);
    this.#fix(0, units); // told when they are back
    return true;
  }
}
