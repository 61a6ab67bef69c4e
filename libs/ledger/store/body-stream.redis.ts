import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import type { Redis } from 'ioredis';
import type { Logger } from '#libs/platform/logger.js';
import { encodeMeta, type PackedBody } from '../body-entry.js';
import { bodiesSent, bodiesShedByProcess, bodiesShedByStream } from '../sink-metrics.js';
import { BODY_STREAM } from '../streams.js';
import type { BodyCapture, BodySink } from '../usage-event.js';
import { appendEntries, type EntryFields } from './entry-stream.redis.js';

const gzip = promisify(gzipCallback);

/** Settings of a {@link RedisBodySink}. */
export interface BodySinkOptions {
  /** A connection of its own (`background`), which the caller closes after the sink. */
  readonly redis: Redis;
  readonly logger: Logger;
  /** Longest body kept; of longer ones the beginning. */
  readonly maxBodyBytes: number;
  /** What may wait in this process; default 32 MiB. */
  readonly maxBytes?: number;
  /** What the stream may hold, gzipped; default 64 MiB. */
  readonly maxStreamBytes?: number;
}

/** Counters since the start of the process, and what waits now. Shed: pairs of bodies that will not be archived. */
export interface BodySinkStats {
  readonly waitingPairs: number;
  readonly waitingBytes: number;
  readonly sentPairs: number;
  readonly shedProcessFull: number;
  readonly shedStreamFull: number;
}

/** Cost of a pair beyond its bytes: ids, names, objects. */
const PAIR_BYTES = 1024;
/** Taken at once: few enough for the thread pool to serve others in between. */
const BATCH_BYTES = 256 * 1024;
const BATCH_PAIRS = 64;
const FLUSH_MS = 20;
/** Shorter bodies travel as they are and the worker packs them: setting up gzip alone costs as much as half a call. */
const PACK_FROM_BYTES = 16 * 1024;
const LONGEST_PAUSE_MS = 1000;

/**
 * Bodies on their way to the archive: one stream entry per pair, long ones gzipped (level 1) on the thread pool. Best effort
 * within two bounds, one in this process and one in the stream. Full-policy of both: the pair is shed and counted, the call
 * itself never waits.
 */
export class RedisBodySink implements BodySink {
  readonly #redis: Redis;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  readonly #maxStreamBytes: number;
  #maxBodyBytes: number;
  #queue: BodyCapture[] = [];
  #pairs = 0;
  #bytes = 0;
  #sent = 0;
  #shedProcessFull = 0;
  #shedStreamFull = 0;
  #shedding = false;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #closed = false;
  readonly #giveUp = new AbortController();

  constructor(options: BodySinkOptions) {
    this.#redis = options.redis;
    this.#logger = options.logger;
    this.#maxBodyBytes = options.maxBodyBytes;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
    this.#maxStreamBytes = options.maxStreamBytes ?? 64 * 1024 * 1024;
  }

  get maxBodyBytes(): number {
    return this.#maxBodyBytes;
  }

  /** Takes over a changed setting for the calls to come. */
  setMaxBodyBytes(bytes: number): void {
    this.#maxBodyBytes = bytes;
  }

  capture(bodies: BodyCapture): void {
    const size = sizeOf(bodies);
    if (this.#closed || this.#bytes + size > this.#maxBytes) {
      this.#shedProcessFull += 1;
      bodiesShedByProcess.inc();
      this.#reportShedding('the memory for bodies is full');
      return;
    }
    this.#queue.push(bodies);
    this.#pairs += 1;
    this.#bytes += size;
    if (this.#sending === null) this.#timer ??= setTimeout(() => this.#send(), FLUSH_MS);
  }

  stats(): BodySinkStats {
    return {
      waitingPairs: this.#pairs,
      waitingBytes: this.#bytes,
      sentPairs: this.#sent,
      shedProcessFull: this.#shedProcessFull,
      shedStreamFull: this.#shedStreamFull,
    };
  }

  /** Takes no more bodies, sends what waits for at most `deadlineMs`, and answers how many pairs are left behind. */
  async close(deadlineMs: number): Promise<number> {
    this.#closed = true;
    const deadline = setTimeout(() => this.#giveUp.abort(), deadlineMs);
    const gaveUp = new Promise<void>((resolve) => this.#giveUp.signal.addEventListener('abort', () => resolve()));
    while (this.#pairs > 0 && !this.#giveUp.signal.aborted) {
      if (this.#sending === null) this.#send();
      await Promise.race([this.#sending, gaveUp]);
    }
    clearTimeout(deadline);
    this.#giveUp.abort();
    return this.#pairs;
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.#queue.length > 0 && !this.#giveUp.signal.aborted) {
        this.#timer ??= setTimeout(() => this.#send(), FLUSH_MS);
      }
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0 && !this.#giveUp.signal.aborted) {
      const batch = this.#take();
      const entries = await Promise.all(batch.map((bodies) => pack(bodies, this.#maxBodyBytes)));
      const taken = await this.#deliver(entries);
      if (taken === null) return; // closing gave up
      this.#sent += taken;
      bodiesSent.inc(taken);
      bodiesShedByStream.inc(entries.length - taken);
      this.#shedStreamFull += entries.length - taken;
      if (taken < entries.length) this.#reportShedding('the stream of bodies is full');
      else this.#shedding = false;
      this.#pairs -= batch.length;
      for (const bodies of batch) this.#bytes -= sizeOf(bodies);
    }
  }

  #take(): BodyCapture[] {
    let pairs = 0;
    let bytes = 0;
    while (pairs < this.#queue.length && pairs < BATCH_PAIRS) {
      bytes += sizeOf(this.#queue[pairs] as BodyCapture);
      if (pairs > 0 && bytes > BATCH_BYTES) break;
      pairs += 1;
    }
    return this.#queue.splice(0, pairs);
  }

  /** Tries until Redis answers; how many entries the stream took. */
  async #deliver(entries: readonly EntryFields[]): Promise<number | null> {
    for (let pauseMs = 50; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        return await appendEntries(this.#redis, BODY_STREAM, this.#maxStreamBytes, entries);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason === 'Command timed out') this.#redis.disconnect(true);
      }
      await sleep(pauseMs + Math.random() * pauseMs, undefined, { signal: this.#giveUp.signal }).catch(() => {});
      if (this.#giveUp.signal.aborted) return null;
    }
  }

  #reportShedding(reason: string): void {
    if (!this.#shedding) this.#logger.warn({ reason }, 'bodies are not archived');
    this.#shedding = true;
  }
}

function sizeOf(bodies: BodyCapture): number {
  return bodies.requestBody.length + bodies.responseBody.length + PAIR_BYTES;
}

async function pack(bodies: BodyCapture, maxBodyBytes: number): Promise<EntryFields> {
  const cut: BodyCapture = {
    ...bodies,
    requestBody: bodies.requestBody.subarray(0, maxBodyBytes),
    responseBody: bodies.responseBody.subarray(0, maxBodyBytes),
    truncated: bodies.truncated || Math.max(bodies.requestBody.length, bodies.responseBody.length) > maxBodyBytes,
  };
  const [request, response] = await Promise.all([packBody(cut.requestBody), packBody(cut.responseBody)]);
  return [
    ['m', encodeMeta(cut, { request, response }, maxBodyBytes)],
    ['q', request.data],
    ['a', response.data],
  ];
}

async function packBody(body: Buffer): Promise<PackedBody> {
  if (body.length < PACK_FROM_BYTES) return { data: body, gzipped: false };
  return { data: await gzip(body, { level: 1 }), gzipped: true };
}
