import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from '#libs/platform/logger.js';
import { eventsDropped, eventsSent } from '../sink-metrics.js';
import { USAGE_STREAM } from '../streams.js';
import type { UsageEvent, UsageSink } from '../usage-event.js';
import { appendEntries, type EntryFields } from './entry-stream.redis.js';

/** Settings of a {@link RedisUsageSink}. Bytes of events are counted as characters of their JSON. */
export interface UsageSinkOptions {
  /** A connection of its own (`background`), which the caller closes after the sink. */
  readonly redis: Redis;
  /** Who writes: the id of this process's life. */
  readonly writer: string;
  readonly logger: Logger;
  /** What may wait in memory; default 100,000 events and 64 MiB. */
  readonly maxEvents?: number;
  readonly maxBytes?: number;
  /** What the stream may hold before nothing more is added; default 256 MiB. */
  readonly maxStreamBytes?: number;
  readonly flushMs?: number;
  readonly flushEvents?: number;
}

/** Counters since the start of the process, and what waits now. */
export interface UsageSinkStats {
  readonly waitingEvents: number;
  readonly waitingBytes: number;
  readonly sentEvents: number;
  /** Events lost because even the reserve was full. Should be 0 for ever. */
  readonly droppedEvents: number;
  readonly failedFlushes: number;
}

interface Batch {
  readonly events: number;
  readonly bytes: number;
  readonly fields: EntryFields;
}

const BATCH_BYTES = 1024 * 1024;
/** `hasRoom()` turns false here; the rest is the reserve for calls already admitted. */
const ADMIT_SHARE = 0.75;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/**
 * Usage events on their way to the worker: kept in memory as JSON, sent as one stream entry per 20 ms or 500 events.
 * Redis slow, full or away: the batch is kept and sent again (the row id makes a second copy harmless). Full-policy: from
 * three quarters of the bound on `hasRoom()` is false and new calls are refused; the last quarter takes the events of the
 * calls already running; an event beyond it is dropped, counted and logged.
 */
export class RedisUsageSink implements UsageSink {
  readonly #redis: Redis;
  readonly #writer: string;
  readonly #logger: Logger;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #maxStreamBytes: number;
  readonly #flushMs: number;
  readonly #flushEvents: number;
  #lines: string[] = [];
  /** Events and bytes in memory, those of the batch being sent included. */
  #events = 0;
  #bytes = 0;
  #sequence = 0;
  #sent = 0;
  #dropped = 0;
  #failed = 0;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #closed = false;
  readonly #giveUp = new AbortController();

  constructor(options: UsageSinkOptions) {
    this.#redis = options.redis;
    this.#writer = options.writer;
    this.#logger = options.logger;
    this.#maxEvents = options.maxEvents ?? 100_000;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#maxStreamBytes = options.maxStreamBytes ?? 256 * 1024 * 1024;
    this.#flushMs = options.flushMs ?? 20;
    this.#flushEvents = options.flushEvents ?? 500;
  }

  hasRoom(): boolean {
    return this.#events < this.#maxEvents * ADMIT_SHARE && this.#bytes < this.#maxBytes * ADMIT_SHARE && !this.#closed;
  }

  record(event: UsageEvent): void {
    const line = JSON.stringify(event);
    if (this.#closed || this.#events >= this.#maxEvents || this.#bytes + line.length > this.#maxBytes) {
      this.#drop(event.id);
      return;
    }
    this.#lines.push(line);
    this.#events += 1;
    this.#bytes += line.length;
    if (this.#sending !== null) return; // what is sending goes on with these
    if (this.#lines.length >= this.#flushEvents) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#flushMs);
  }

  stats(): UsageSinkStats {
    return {
      waitingEvents: this.#events,
      waitingBytes: this.#bytes,
      sentEvents: this.#sent,
      droppedEvents: this.#dropped,
      failedFlushes: this.#failed,
    };
  }

  /** Takes no more events, sends what waits for at most `deadlineMs`, and answers how many events are left behind. */
  async close(deadlineMs: number): Promise<number> {
    this.#closed = true;
    const deadline = setTimeout(() => this.#giveUp.abort(), deadlineMs);
    while (this.#events > 0 && !this.#giveUp.signal.aborted) {
      if (this.#sending === null) this.#send();
      await Promise.race([this.#sending, aborted(this.#giveUp.signal)]);
    }
    clearTimeout(deadline);
    this.#giveUp.abort();
    if (this.#events > 0) this.#logger.error({ events: this.#events }, 'usage events lost: the stream took no more');
    return this.#events;
  }

  #drop(id: string): void {
    eventsDropped.inc();
    if (this.#dropped++ === 0) this.#logger.error({ id }, 'usage event lost: the memory for usage events is full');
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.#lines.length > 0 && !this.#giveUp.signal.aborted) {
        this.#timer ??= setTimeout(() => this.#send(), this.#flushMs);
      }
    });
  }

  /** Sends full batches, then stops until the next tick; when closing, sends everything. */
  async #sendAll(): Promise<void> {
    do {
      const batch = this.#take();
      if (!(await this.#deliver(batch))) return;
      this.#events -= batch.events;
      this.#bytes -= batch.bytes;
      this.#sent += batch.events;
      eventsSent.inc(batch.events);
    } while (this.#lines.length >= this.#flushEvents || (this.#closed && this.#lines.length > 0));
  }

  #take(): Batch {
    let events = 0;
    let bytes = 0;
    while (events < this.#lines.length && events < this.#flushEvents) {
      const size = (this.#lines[events] as string).length;
      if (events > 0 && bytes + size > BATCH_BYTES) break;
      bytes += size;
      events += 1;
    }
    // As bytes: a text this long would outlive the round trip in the old generation, and full collections would follow.
    const body = Buffer.from(`[${this.#lines.splice(0, events).join(',')}]`);
    const fields: EntryFields = [
      ['w', this.#writer],
      ['s', String(++this.#sequence)],
      ['b', body],
    ];
    return { events, bytes, fields };
  }

  /** Tries until the stream has the batch; false when closing gave up. */
  async #deliver(batch: Batch): Promise<boolean> {
    for (let attempt = 0, pauseMs = FIRST_PAUSE_MS; ; attempt++, pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      const problem = await this.#append(batch.fields);
      if (problem === null) {
        if (attempt > 0) this.#logger.info({ attempts: attempt + 1 }, 'usage events flow again');
        return true;
      }
      if (attempt === 0) this.#logger.warn({ reason: problem }, 'usage events wait in memory');
      this.#failed += 1;
      const jitterMs = Math.random() * pauseMs;
      await sleep(pauseMs + jitterMs, undefined, { signal: this.#giveUp.signal }).catch(() => {});
      if (this.#giveUp.signal.aborted) return false;
    }
  }

  /** Why the stream did not take the entry, or null. */
  async #append(fields: EntryFields): Promise<string | null> {
    try {
      const taken = await appendEntries(this.#redis, USAGE_STREAM, this.#maxStreamBytes, [fields]);
      return taken === 1 ? null : 'the stream is full';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Unanswered: drop the connection, or the copies sent again would pile up in its buffer while Redis is frozen.
      if (reason === 'Command timed out') this.#redis.disconnect(true);
      return reason;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
