import type { Clock } from '#libs/platform/clock.js';
import type { RegistryHead } from './document.js';
import { bounded, Probe } from './probe.js';
import { RegistryState } from './registry-state.js';
import type { RegistryMirror } from './store/registry-mirror.js';
import type { RegistryStore } from './store/registry-store.js';
import { syncMirror } from './sync-mirror.js';

/** How current this replica's registry is; for readiness, metrics and the data plane's "may I still trust this?". */
export interface FeedHealth {
  readonly version: number;
  /** Where the last contact was with; `none` while neither store answers. */
  readonly source: 'redis' | 'postgres' | 'none';
  /** Time since a store confirmed that this state is current. */
  readonly ageMs: number;
  /** True when that is longer ago than the grace: callers must not be authenticated from this state any more. */
  readonly blind: boolean;
}

/** What every replica reads the registry through. `current()` is one field read and does no I/O. */
export interface RegistryFeed {
  current(): RegistryState;
  /** Called with each new state, in order, before `current()` is asked again by anybody else. Returns how to stop. */
  subscribe(listener: (state: RegistryState) => void): () => void;
  health(): FeedHealth;
  /** Looks at the stores now. Never rejects; see `health()` for how it went. */
  refresh(): Promise<void>;
}

/** Tells of new versions between polls. Messages may be lost; the poll is the guarantee. */
export interface RegistryHints {
  /** Returns how to stop. */
  listen(onVersion: (version: number) => void): () => void;
}

export type FeedEvent =
  | { readonly type: 'applied'; readonly version: number; readonly source: 'redis' | 'postgres' }
  | { readonly type: 'store_down' | 'store_up'; readonly store: 'redis' | 'postgres'; readonly reason: string | null }
  | { readonly type: 'refused'; readonly version: number; readonly running: number }
  | { readonly type: 'failed'; readonly reason: string };

export interface FeedOptions {
  readonly store: RegistryStore;
  readonly mirror: RegistryMirror;
  readonly hints: RegistryHints | null;
  readonly clock: Clock;
  /** Announced with the applied version; `null`: this process is not waited for. */
  readonly instanceId: string | null;
  readonly onEvent: (event: FeedEvent) => void;
  readonly pollMs?: number;
  /** How long a replica that reaches neither store goes on with what it has; default 5 minutes. */
  readonly graceMs?: number;
}

const MIRROR_TIMEOUT_MS = 500;
const STORE_TIMEOUT_MS = 1_500;
const LOAD_TIMEOUT_MS = 15_000;

/** A look at both heads. `undefined`: the store did not answer; `null`: the mirror is empty. */
interface Heads {
  readonly copy: RegistryHead | null | undefined;
  readonly truth: RegistryHead | undefined;
}

/** Polls both stores every 2 s and on hints; never goes back to a lower version; keeps the last state when both are away. */
export class PollingRegistryFeed implements RegistryFeed {
  private state = RegistryState.empty;
  private source: FeedHealth['source'] = 'none';
  private contactAt: number;
  private readonly listeners = new Set<(state: RegistryState) => void>();
  private readonly askMirror = new Probe(MIRROR_TIMEOUT_MS, 'Redis');
  private readonly askStore = new Probe(STORE_TIMEOUT_MS, 'PostgreSQL');
  private readonly down = { redis: false, postgres: false };
  private refused = -1;
  private running: Promise<void> | null = null;
  private queued: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stopHints: (() => void) | null = null;

  constructor(private readonly options: FeedOptions) {
    this.contactAt = options.clock.monotonic();
  }

  /** Loads the first state and begins to follow. Rejects when the durable registry cannot be read. */
  async start(): Promise<void> {
    await this.refresh();
    if (this.state === RegistryState.empty) throw new Error('the registry cannot be read: PostgreSQL does not answer');
    this.stopHints =
      this.options.hints?.listen((version) => void (version > this.state.version && this.refresh())) ?? null;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopHints?.();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.running;
    const { instanceId, mirror } = this.options;
    if (instanceId !== null) await bounded(mirror.leave(instanceId), MIRROR_TIMEOUT_MS, 'Redis').catch(() => {});
  }

  current(): RegistryState {
    return this.state;
  }

  subscribe(listener: (state: RegistryState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  health(): FeedHealth {
    const ageMs = this.options.clock.monotonic() - this.contactAt;
    return {
      version: this.state.version,
      source: this.source,
      ageMs,
      blind: ageMs > (this.options.graceMs ?? 300_000),
    };
  }

  refresh(): Promise<void> {
    if (this.running === null) {
      this.running = this.lookAround().finally(() => (this.running = null));
      return this.running;
    }
    // Whoever asks now may have written after the running look began: one more look for all who ask meanwhile.
    this.queued ??= this.running.then(() => {
      this.queued = null;
      return this.refresh();
    });
    return this.queued;
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      void this.refresh().finally(() => {
        if (this.timer !== null) this.schedule();
      });
    }, this.options.pollMs ?? 2_000);
    this.timer.unref();
  }

  private async lookAround(): Promise<void> {
    try {
      let heads = await this.readHeads();
      if (heads.truth !== undefined) heads = await this.repair(heads.copy, heads.truth);
      await this.follow(heads);
      const { instanceId, mirror } = this.options;
      if (instanceId !== null && heads.copy !== undefined) {
        await this.askMirror.ask(() => mirror.announce(instanceId, this.state.version));
      }
    } catch (error) {
      this.options.onEvent({ type: 'failed', reason: reasonOf(error) });
    }
  }

  /** The mirror first, see `syncMirror`. */
  private async readHeads(): Promise<Heads> {
    const copy = await this.answer('redis', () => this.askMirror.ask(() => this.options.mirror.head()));
    const truth = await this.answer('postgres', () => this.askStore.ask(() => this.options.store.head()));
    return { copy, truth };
  }

  /** Makes mirror and store agree, and the store no older than what this replica already runs. */
  private async repair(copy: Heads['copy'], truth: RegistryHead): Promise<Heads> {
    const { store, mirror } = this.options;
    const inStep =
      truth.version >= this.state.version && copy?.lineage === truth.lineage && copy.version === truth.version;
    if (inStep) return { copy, truth };
    if (copy !== undefined) {
      const synced = await this.answer('redis', () =>
        bounded(syncMirror(store, mirror, this.state.version), LOAD_TIMEOUT_MS, 'Redis'),
      );
      if (synced !== undefined) return { copy: synced, truth: synced };
    }
    if (truth.version >= this.state.version && this.follows(truth)) return { copy: undefined, truth };
    const raised = await bounded(store.raiseAbove(this.state.version), STORE_TIMEOUT_MS, 'PostgreSQL');
    return { copy: undefined, truth: raised };
  }

  /** Whether a head continues what this replica runs: same registry, or certainly newer. */
  private follows(head: RegistryHead): boolean {
    return head.lineage === this.state.head.lineage
      ? head.version >= this.state.version
      : head.version > this.state.version;
  }

  private async follow({ copy, truth }: Heads): Promise<void> {
    const { store, mirror } = this.options;
    const running = this.state.head;
    // Without PostgreSQL's word a mirror is believed only as a continuation of what runs here: it may be an old snapshot.
    const trusted = copy != null && (truth !== undefined || copy.lineage === running.lineage) && this.follows(copy);
    if (copy != null && !trusted && copy.version !== this.refused) {
      this.refused = copy.version;
      this.options.onEvent({ type: 'refused', version: copy.version, running: running.version });
    }
    if (trusted && copy.lineage === running.lineage && copy.version === running.version) return this.contact('redis');
    if (trusted && (await this.load('redis', () => mirror.read(running)))) return;
    if (truth === undefined) {
      if (!trusted) this.source = 'none';
      return;
    }
    if (truth.lineage === running.lineage && truth.version === running.version) return this.contact('postgres');
    const since = truth.lineage === running.lineage ? Math.max(0, running.version) : 0;
    await this.load('postgres', () => store.changesSince(since));
  }

  private async load(source: 'redis' | 'postgres', read: () => ReturnType<RegistryMirror['read']>): Promise<boolean> {
    const delta = await this.answer(source, () => bounded(read(), LOAD_TIMEOUT_MS, source));
    if (delta === undefined || !this.follows(delta.head)) return false;
    this.state = this.state.apply(delta);
    this.contact(source);
    for (const listener of this.listeners) {
      try {
        listener(this.state);
      } catch (error) {
        this.options.onEvent({ type: 'failed', reason: reasonOf(error) });
      }
    }
    this.options.onEvent({ type: 'applied', version: this.state.version, source });
    return true;
  }

  private contact(source: 'redis' | 'postgres'): void {
    this.source = source;
    this.contactAt = this.options.clock.monotonic();
  }

  /** A store's answer, or `undefined` when it gave none; a change between the two is told once. */
  private async answer<T>(name: 'redis' | 'postgres', work: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await work();
      if (this.down[name]) this.options.onEvent({ type: 'store_up', store: name, reason: null });
      this.down[name] = false;
      return value;
    } catch (error) {
      if (!this.down[name]) this.options.onEvent({ type: 'store_down', store: name, reason: reasonOf(error) });
      this.down[name] = true;
      return undefined;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
