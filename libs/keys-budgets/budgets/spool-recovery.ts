import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeLines, NEXT_LINE_BYTES, type SpoolLine } from './spool-line.js';

/** One call of the spool: its row as JSON text, and whose it is. */
export interface RecoveredRow {
  readonly orgId: string;
  readonly json: string;
}

/** What a dead process left behind: every call that was, or may have been, sent upstream. */
export interface RecoveredSpool {
  /** Offset of the first byte that is there; `Infinity` when pieces are missing or damaged: the process's disk counts as lost. */
  readonly from: number;
  /** Why `from` is infinite. */
  readonly fault: string | null;
  /** Organisations that have rows here. */
  readonly orgIds: ReadonlySet<string>;
  /** One row per call: settled, or unknown at the call's last bound. */
  rows(): AsyncIterable<RecoveredRow>;
}

interface Head {
  readonly i: string;
  readonly o: string;
}

/** Lines between two looks at the clock, and for how long calls of this process may wait for them. */
const LOOK_LINES = 32;
const SLICE_MS = 4;
/** A row begins so; reading the rest of it is not needed here. */
const HEAD = /^\{"i":"([^"\\]*)","o":"([^"\\]*)"/;

/**
 * Reads the spool of a process that is gone, a few milliseconds at a time: the reader serves calls meanwhile. Its files are
 * read twice rather than held: first which calls ended, then the rows. A torn last line belongs to a turn that was never
 * dispatched.
 */
export async function recoverSpool(dir: string): Promise<RecoveredSpool> {
  const starts = await segmentsOf(dir);
  const settled = new Set<string>();
  /** Open call → index of its last intent: a later one carries a larger bound, or is a copy. */
  const intents = new Map<string, number>();
  const orgIds = new Set<string>();
  const damage = new Damage();
  let index = 0;
  for await (const lines of linesOf(dir, starts, damage)) {
    for (const line of lines) {
      index += 1;
      const head = headOf(line);
      if (head === null) {
        if (line.kind !== 'N') damage.unreadable();
        continue;
      }
      orgIds.add(head.o);
      if (line.kind === 'S') {
        settled.add(head.i);
        intents.delete(head.i);
      } else if (!settled.has(head.i)) intents.set(head.i, index);
    }
  }
  const fault = damage.fault();
  return {
    from: fault === null ? (starts[0] ?? 0) : Infinity,
    fault,
    orgIds,
    async *rows() {
      let at = 0;
      for await (const lines of linesOf(dir, starts, null)) {
        for (const line of lines) {
          at += 1;
          const head = headOf(line);
          if (head === null) continue;
          if (line.kind === 'S' || intents.get(head.i) === at) yield { orgId: head.o, json: line.json };
        }
      }
    },
  };
}

/** `null` for a line that is no row. */
function headOf({ kind, json }: SpoolLine): Head | null {
  if (kind === 'N') return null;
  const found = HEAD.exec(json);
  if (found !== null) return { i: found[1] as string, o: found[2] as string };
  try {
    const { i, o } = JSON.parse(json) as Partial<Head>;
    return typeof i === 'string' && typeof o === 'string' ? { i, o } : null;
  } catch {
    return null;
  }
}

async function segmentsOf(dir: string): Promise<number[]> {
  const names = (await readdir(dir)).filter((name) => /^\d+\.log$/.test(name));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

/** Lines in groups; between two of them other work has had its turn, when it was due. */
async function* linesOf(
  dir: string,
  starts: readonly number[],
  damage: Damage | null,
): AsyncGenerator<readonly SpoolLine[]> {
  let untilMs = performance.now() + SLICE_MS;
  for (const [n, start] of starts.entries()) {
    let bytes: Buffer = await readFile(path.join(dir, `${start}.log`));
    const next = starts[n + 1];
    // Longer than the next segment's name says: the rest of a write that the disk refused, written again there.
    if (next !== undefined && start + bytes.length > next) bytes = bytes.subarray(0, next - start);
    damage?.segment(start, bytes.length);
    let lines: SpoolLine[] = [];
    for (const line of decodeLines(bytes)) {
      if (damage !== null) damage.line(start, line);
      if (line === null || lines.push(line) < LOOK_LINES) continue;
      yield lines;
      lines = [];
      if (performance.now() < untilMs) continue;
      await nextTurn();
      untilMs = performance.now() + SLICE_MS;
    }
    if (lines.length > 0) yield lines;
  }
}

/** Tells a tail that was cut off by a crash from pieces that are missing or damaged. */
class Damage {
  #fault: string | null = null;
  #expected: number | null = null;
  #namesNext = false;

  segment(start: number, bytes: number): void {
    const skipped = this.#expected === null ? 0 : start - this.#expected;
    // A process killed while it changed segments has made the next file, but not written the line that names it.
    if (skipped !== 0 && !(skipped === NEXT_LINE_BYTES && !this.#namesNext)) {
      this.#fault ??= `nothing between offsets ${this.#expected} and ${start}`;
    }
    this.#expected = start + bytes;
    this.#namesNext = false;
  }

  line(start: number, line: SpoolLine | null): void {
    if (line === null) this.#fault ??= `a line of segment ${start} fails its checksum`;
    else this.#namesNext = line.kind === 'N';
  }

  unreadable(): void {
    this.#fault ??= 'a line is no row';
  }

  fault(): string | null {
    return this.#fault ?? (this.#namesNext ? 'the last segment is missing' : null);
  }
}
