import { closeSync, fdatasync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { decodeLines, encodeLine, encodeNext, NEXT_LINE_BYTES } from './spool-line.js';
import type { SpoolFolder } from './spool-folder.js';

/** A file of the spool; its name is the offset of its first byte. */
interface Segment {
  readonly start: number;
  end: number;
  /** Bytes on the disk; more than `end - start` where half a write could not be taken back. */
  size: number;
  /** Intents written here whose calls are not over: the file stays. */
  readonly open: OpenIntent[];
  openBytes: number;
}

/** An intent whose call is not over; only {@link Spool} looks into it. */
export interface OpenIntent {
  json: string;
  segment: Segment;
  /** Its place in `segment.open`. */
  at: number;
}

export interface SpoolOptions {
  /** A segment that is longer is followed by a new one; default 8 MiB. */
  readonly segmentBytes?: number;
  /** How often what was written is forced to the disk; default 50 ms. A power loss can take the intents of that time. */
  readonly syncMs?: number;
  /**
   * Committed files that nothing but open calls keeps may be so large together; beyond it the intents of those calls are
   * written again at the end, and the files go. Default: four segments.
   */
  readonly pinnedBytes?: number;
}

/** What is to be shipped next: the settled rows between two offsets, one JSON text a line. */
export interface SpoolBatch {
  readonly from: number;
  readonly to: number;
  readonly rows: string;
}

/** What one write may not do on a spool that is shipped from memory; beyond this it is read from the disk. */
const MOST_PENDING_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 512 * 1024;

/**
 * Append-only file of one process, shared by all its organisations (KEY-6). Everything of one event-loop turn is one
 * write. Offsets are cumulative bytes. A row stays until the ledger has committed it; what it may take of the disk is
 * bounded by the caller, which closes admission (`diskBytes`). Synchronous on purpose: the page cache takes a turn's lines
 * in microseconds, and nothing may be dispatched before.
 */
export class Spool {
  /** Bytes written, shipped and committed by the ledger. */
  end = 0;
  shipped = 0;
  acked = 0;
  readonly #folder: SpoolFolder;
  readonly #segmentBytes: number;
  readonly #pinnedBytes: number;
  readonly #segments: Segment[] = [];
  readonly #timer: NodeJS.Timeout | null;
  #fd: number;
  #current: Segment;
  /** Half a write stands at the end of the current file: go on in another one. */
  #mustBegin = false;
  #diskBytes = 0;
  /** Larger bounds of this turn; they hold when the file has them. */
  #amends: { readonly intent: OpenIntent; readonly json: string }[] = [];
  #intents = '';
  #settles = '';
  #pending: string[] = [];
  #pendingBytes = 0;
  #fromDisk = false;
  /** A new segment has begun: the offset of its first byte is to be shipped, with or without rows. */
  #hasChanged = false;
  #dirty = false;

  constructor(folder: SpoolFolder, options: SpoolOptions = {}) {
    this.#folder = folder;
    this.#segmentBytes = options.segmentBytes ?? 8 * 1024 * 1024;
    this.#pinnedBytes = options.pinnedBytes ?? 4 * this.#segmentBytes;
    this.#fd = this.#openFile(0);
    this.#current = segmentAt(0);
    this.#segments.push(this.#current);
    const syncMs = options.syncMs ?? 50;
    this.#timer = syncMs > 0 ? setInterval(() => this.#sync(), syncMs).unref() : null;
  }

  /** An intent of this turn. Give it back to {@link settle}. */
  intent(json: string): OpenIntent {
    this.#intents += encodeLine('I', json);
    const intent = { json, segment: this.#current, at: 0 };
    pin(intent, this.#current);
    return intent;
  }

  /** A larger bound of a call whose intent is written already; the last one counts. */
  amend(json: string, intent: OpenIntent): void {
    this.#intents += encodeLine('I', json);
    this.#amends.push({ intent, json });
  }

  /** An intent whose turn the disk refused: it stands nowhere. */
  forget(intent: OpenIntent): void {
    unpin(intent);
  }

  /** The end of a call. */
  settle(json: string, intent: OpenIntent): void {
    unpin(intent);
    this.#settles += encodeLine('S', json);
    if (this.#fromDisk) return;
    this.#pending.push(json);
    this.#pendingBytes += json.length;
    if (this.#pendingBytes > MOST_PENDING_BYTES) this.resend();
  }

  get hasUnwritten(): boolean {
    return this.#settles !== '' || this.#intents !== '';
  }

  /** Bytes that the ledger has not committed. */
  get heldBytes(): number {
    return this.end - this.acked;
  }

  /** What its files take of the disk: what is not committed, and what open calls keep there. */
  get diskBytes(): number {
    return this.#diskBytes;
  }

  get hasUnshipped(): boolean {
    return this.#fromDisk ? this.end > this.shipped : this.#pending.length > 0 || this.#hasChanged;
  }

  /**
   * Writes what this turn gathered. Throws when the disk refuses (ENOSPC, EIO): then no intent of this turn is in the file
   * and nothing of it may be dispatched ({@link forget} each); the ends of calls are kept and written next time.
   */
  flush(): void {
    if (!this.hasUnwritten) return;
    const bytes = Buffer.from(this.#intents + this.#settles);
    const amends = this.#amends;
    this.#intents = '';
    this.#amends = [];
    this.#write(bytes);
    this.#settles = '';
    for (const { intent, json } of amends) {
      if (intent.segment.open[intent.at] !== intent) continue; // over already
      intent.segment.openBytes += json.length - intent.json.length;
      intent.json = json;
    }
    if (this.end - this.#current.start > this.#segmentBytes) this.#rotate();
  }

  /** What to ship now; from memory, or from the disk after something was lost on the way. */
  next(): SpoolBatch {
    const from = this.shipped;
    if (this.#fromDisk) return this.#readBatch(from);
    const rows = this.#pending.join('\n');
    this.#forgetPending();
    this.#hasChanged = false;
    return { from, to: this.end, rows };
  }

  /** The stream has everything up to `to`. */
  confirm(to: number): void {
    this.shipped = Math.max(this.shipped, to);
    if (this.#fromDisk && to >= this.end && this.#settles === '') {
      this.#fromDisk = false;
      this.#forgetPending();
    }
  }

  /** What was shipped from `from` on may be lost: ship it again, from the disk. */
  resend(from: number = this.shipped): void {
    this.shipped = Math.min(from, this.shipped);
    this.#fromDisk = true;
    this.#forgetPending();
  }

  /** The ledger has committed everything up to `acked`: files that hold nothing else go. */
  trim(acked: number): void {
    if (!(acked > this.acked)) return;
    this.acked = acked;
    for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
      if (first === this.#current || first.end > acked) return;
      if (first.open.length > 0 && !this.#moveOpen(first)) return;
      this.#segments.shift();
      this.#diskBytes -= first.size;
      rmSync(this.#file(first.start), { force: true });
    }
  }

  /**
   * Writes the open intents of a committed file again at the end, where open calls keep too much of the disk and at least
   * half of that comes free: so that each byte is written again once on average. A reader that finds both copies sees one
   * intent. False: they stay where they are.
   */
  #moveOpen(first: Segment): boolean {
    let [pinnedBytes, openBytes] = [0, 0];
    for (const segment of this.#segments) {
      if (segment === this.#current || segment.end > this.acked) break;
      pinnedBytes += segment.size;
      openBytes += segment.openBytes;
    }
    if (pinnedBytes <= this.#pinnedBytes || openBytes * 2 > pinnedBytes) return false;
    try {
      this.#write(Buffer.from(first.open.map(({ json }) => encodeLine('I', json)).join('')));
    } catch {
      return false; // the disk refuses: the next commit tries again
    }
    for (const intent of first.open) pin(intent, this.#current);
    first.open.length = 0;
    if (this.end - this.#current.start > this.#segmentBytes) this.#rotate();
    return true;
  }

  /** Everything is in the ledger: the folder goes. */
  remove(): void {
    this.#stop();
    this.#folder.remove();
  }

  /** Ends this process's part; the folder stays for whoever adopts it. */
  abandon(): void {
    this.#stop();
    this.#folder.abandon();
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    closeSync(this.#fd);
  }

  #file(start: number): string {
    return path.join(this.#folder.dir, `${start}.log`);
  }

  #openFile(start: number): number {
    return openSync(this.#file(start), 'w', 0o600);
  }

  #write(bytes: Buffer): void {
    if (this.#mustBegin) this.#begin(this.end); // its name tells the reader where the old file's good part ends
    try {
      for (let done = 0; done < bytes.length;) {
        const written = writeSync(this.#fd, bytes, done, bytes.length - done, this.#current.size);
        done += written;
        this.#resize(this.#current.size + written);
      }
    } catch (error) {
      this.#takeBack();
      throw error;
    }
    this.end += bytes.length;
    this.#current.end = this.end;
    this.#dirty = true;
  }

  /** Half a write must not stand before the next one. */
  #takeBack(): void {
    const size = this.end - this.#current.start;
    try {
      ftruncateSync(this.#fd, size);
      this.#resize(size);
    } catch {
      this.#mustBegin = true;
    }
  }

  #resize(size: number): void {
    this.#diskBytes += size - this.#current.size;
    this.#current.size = size;
  }

  /** Goes on in a new file; where the disk refuses, the old one grows and the next turn tries again. */
  #rotate(): void {
    const next = this.end + NEXT_LINE_BYTES;
    let fd: number | null = null;
    try {
      fd = this.#openFile(next);
      this.#write(Buffer.from(encodeNext(next)));
    } catch {
      if (fd === null) return;
      closeSync(fd);
      rmSync(this.#file(next), { force: true });
      return;
    }
    closeSync(fd);
    this.#begin(next);
    this.#hasChanged = true;
  }

  #begin(start: number): void {
    const fd = this.#openFile(start);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#mustBegin = false;
    if (start === this.#current.start) return this.#resize(0); // nothing good was in it: the same file, emptied
    this.#current = segmentAt(start);
    this.#segments.push(this.#current);
  }

  #readBatch(from: number): SpoolBatch {
    const segment = this.#segments.find(({ end }) => end > from);
    if (segment === undefined) return { from, to: this.end, rows: '' };
    const start = Math.max(from, segment.start);
    let bytes: Buffer = Buffer.alloc(0);
    const fd = openSync(this.#file(segment.start), 'r');
    try {
      // A chunk without a whole line holds one that is longer: take more.
      for (let size = CHUNK_BYTES; bytes.lastIndexOf(10) < 0; size *= 4) {
        bytes = Buffer.alloc(Math.min(size, segment.end - start));
        bytes = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, start - segment.start));
        if (bytes.length === segment.end - start) break;
      }
    } finally {
      closeSync(fd);
    }
    const whole = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
    const rows: string[] = [];
    for (const line of decodeLines(whole)) if (line?.kind === 'S') rows.push(line.json);
    return { from, to: start + whole.length, rows: rows.join('\n') };
  }

  #forgetPending(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #sync(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    fdatasync(this.#fd, () => {});
  }
}

function segmentAt(start: number): Segment {
  return { start, end: start, size: 0, open: [], openBytes: 0 };
}

function pin(intent: OpenIntent, segment: Segment): void {
  intent.segment = segment;
  intent.at = segment.open.push(intent) - 1;
  segment.openBytes += intent.json.length;
}

/** The last one takes its place. */
function unpin({ json, segment, at }: OpenIntent): void {
  const last = segment.open.pop() as OpenIntent;
  if (last.at !== at) {
    last.at = at;
    segment.open[at] = last;
  }
  segment.openBytes -= json.length;
}
