import type { Clock } from '#libs/platform/clock.js';
import type { HealthShare, SharedChange } from './health-share.js';
import { TargetState, type StateListener } from './target-state.js';

/** Targets of chains that are kept an eye on. */
const MOST_TARGETS = 4096;
/**
 * Targets that callers named: the longest unused is forgotten. Twice as many as plans are remembered (`ChainIndex`), so that
 * none that a plan holds is.
 */
const MOST_PASSING = 8192;
const POLL_MS = 2_000;

/** How what others told or what the store said could not be had; once per change, not per try. */
export type ShareListener = (isUp: boolean, error: unknown) => void;

/** The states of all targets of this process, and their exchange with other processes. */
export class HealthBook {
  readonly #states = new Map<string, TargetState>();
  readonly #passing = new Map<string, TargetState>();
  /** Those of the passing ones that have a chain behind them. */
  readonly #heeded = new WeakSet<TargetState>();
  readonly #clock: Clock;
  #share: HealthShare | null = null;
  #observer: StateListener = () => {};
  #onShare: ShareListener = () => {};
  #stopListening: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #shareIsUp = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The state of a target of a chain, always the same object. When the book is full, one that nobody else sees. */
  stateOf(target: string): TargetState {
    const known = this.#states.get(target);
    if (known !== undefined) return known;
    const state = this.#passing.get(target) ?? this.#make(target);
    this.#passing.delete(target);
    if (this.#states.size < MOST_TARGETS) this.#states.set(target, state);
    return state;
  }

  /** The state of a target that is called by itself: that of the chains that have it too, else one that is kept for a while. */
  passingStateOf(target: string): TargetState {
    const known = this.#states.get(target);
    if (known !== undefined) return known;
    const state = this.#passing.get(target) ?? this.#make(target);
    this.#passing.delete(target);
    this.#passing.set(target, state);
    if (this.#passing.size > MOST_PASSING) {
      const [oldest] = this.#passing.keys();
      if (oldest !== undefined) this.#passing.delete(oldest);
    }
    return state;
  }

  /**
   * The state of a target that a caller named and that has a chain behind it: others heed it as they do those of chains, and it
   * is forgotten like any that callers name.
   */
  attachedStateOf(target: string): TargetState {
    const state = this.passingStateOf(target);
    this.#heeded.add(state);
    return state;
  }

  *states(): Iterable<TargetState> {
    yield* this.#states.values();
    yield* this.#passing.values();
  }

  /** Calls `listener` at each opening (with its cool-down) and closing that this process decides. */
  observe(listener: StateListener): void {
    this.#observer = listener;
  }

  #make(target: string): TargetState {
    return new TargetState(target, (changed, coolMs) => {
      this.#observer(changed, coolMs);
      this.#tell(changed, coolMs);
    });
  }

  /** Begins to exchange with others: at once, at each change, and every two seconds what was missed. */
  async connect(share: HealthShare, onShare: ShareListener): Promise<void> {
    this.#share = share;
    this.#onShare = onShare;
    this.#stopListening = share.listen((change) => this.#adopt(change));
    await this.#poll();
    this.#schedule();
  }

  disconnect(): void {
    this.#stopListening();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#share = null;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.#poll().finally(() => {
        if (this.#share !== null) this.#schedule();
      });
    }, POLL_MS);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const share = this.#share;
    if (share === null) return;
    try {
      for (const opening of await share.openings()) this.#adopt(opening, true);
      this.#heard(true, null);
    } catch (error) {
      this.#heard(false, error);
    }
  }

  #adopt(change: SharedChange, isPolled = false): void {
    const nowMs = this.#clock.monotonic();
    const state = this.passingStateOf(change.target);
    if (change.coolMs === null) return state.adoptClosed(nowMs);
    // What the store said may be older than this process's finding that the target is well.
    const foundWell = state.breaker === 'closed' && state.sinceMs > 0 && nowMs - state.sinceMs < POLL_MS;
    if (!(isPolled && foundWell)) state.adoptOpen(nowMs, change.coolMs, change.reason);
  }

  #tell(target: TargetState, coolMs: number | null): void {
    const share = this.#share;
    const isOfChain = this.#states.get(target.id) === target;
    // Others heed breakers for their chains' sake; the store would fill with what callers name.
    if (share === null || !(isOfChain || this.#heeded.has(target))) return;
    const change: SharedChange =
      coolMs === null || target.reason === null
        ? { target: target.id, reason: null, coolMs: null }
        : { target: target.id, reason: target.reason, coolMs };
    share.tell(change, !isOfChain).then(
      () => this.#heard(true, null),
      (error: unknown) => this.#heard(false, error),
    );
  }

  #heard(isUp: boolean, error: unknown): void {
    if (isUp !== this.#shareIsUp) this.#onShare(isUp, error);
    this.#shareIsUp = isUp;
  }
}
