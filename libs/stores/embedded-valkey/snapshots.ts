import { RespError, type Reply } from './resp.js';

/** A save takes the engine's time: it may have at most this share of it. */
const SPACING = 20;

/** Decides when to save, saves, and tells when saving begins or stops to fail. */
export class Snapshots {
  readonly #command: (...words: string[]) => Promise<Reply>;
  readonly #intervalMs: number;
  readonly #report: (failure: string | null) => void;
  #lastEndMs: number;
  #lastTookMs = 0;
  #failing = false;

  /**
   * @param intervalMs shortest time between two saves
   * @param report called with the reason when a save failed after one that worked, with `null` when they work again
   */
  constructor(
    command: (...words: string[]) => Promise<Reply>,
    intervalMs: number,
    report: (failure: string | null) => void,
    nowMs: number = performance.now(),
  ) {
    this.#command = command;
    this.#intervalMs = intervalMs;
    this.#report = report;
    this.#lastEndMs = nowMs;
  }

  /** Saves if something changed and the last save is long enough ago. */
  async saveIfDue(nowMs: number = performance.now()): Promise<boolean> {
    if (nowMs - this.#lastEndMs < Math.max(this.#intervalMs, SPACING * this.#lastTookMs)) return false;
    if (!(await this.#isDirty())) return false;
    return this.save();
  }

  /** Saves now. False when it failed, which has been reported. */
  async save(): Promise<boolean> {
    const startedAt = performance.now();
    let failure: string | null = null;
    try {
      await this.#command('SAVE');
    } catch (error) {
      failure = error instanceof RespError ? error.message : String(error);
    }
    this.#lastEndMs = performance.now();
    this.#lastTookMs = this.#lastEndMs - startedAt;
    if ((failure !== null) !== this.#failing) {
      this.#failing = failure !== null;
      this.#report(failure);
    }
    return failure === null;
  }

  async #isDirty(): Promise<boolean> {
    const info = await this.#command('INFO', 'persistence');
    const changes = /rdb_changes_since_last_save:(\d+)/.exec(String(info));
    return changes === null || Number(changes[1]) > 0;
  }
}
