import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeLines, NEXT_LINE_BYTES, type SpoolLine } from './spool-line.js';

/** What a dead process left behind: every call that was, or may have been, sent upstream. */
export interface RecoveredSpool {
  /** Offset of the first byte that is there; `Infinity` when pieces are missing or damaged: the process's disk counts as lost. */
  readonly from: number;
  /** Why `from` is infinite. */
  readonly fault: string | null;
  /** Organisations that have rows here. */
  readonly orgIds: ReadonlySet<string>;
  /** JSON texts of an organisation's rows, one per call: settled, or unknown at the call's last bound. */
  rows(orgId: string): Iterable<string>;
}

interface Head {
  readonly i: string;
  readonly o: string;
}

/**
 * Reads the spool of a process that is gone. Its files are read twice rather than held: first which calls ended, then the
 * rows. A torn last line belongs to a turn that was never dispatched.
 */
export function recoverSpool(dir: string): RecoveredSpool {
  const starts = segmentsOf(dir);
  const settled = new Set<string>();
  /** Open call → index of its last intent: a later one carries a larger bound. */
  const intents = new Map<string, number>();
  const orgIds = new Set<string>();
  const damage = new Damage();
  let index = 0;
  for (const line of linesOf(dir, starts, damage)) {
    index += 1;
    if (line.kind === 'N') continue;
    const { i, o } = JSON.parse(line.json) as Head;
    orgIds.add(o);
    if (line.kind === 'S') {
      settled.add(i);
      intents.delete(i);
    } else if (!settled.has(i)) intents.set(i, index);
  }
  const fault = damage.fault();
  return {
    from: fault === null ? (starts[0] ?? 0) : Infinity,
    fault,
    orgIds,
    *rows(orgId) {
      let at = 0;
      for (const line of linesOf(dir, starts, null)) {
        at += 1;
        if (line.kind === 'N') continue;
        const { i, o } = JSON.parse(line.json) as Head;
        if (o !== orgId) continue;
        if (line.kind === 'S' || intents.get(i) === at) yield line.json;
      }
    },
  };
}

function segmentsOf(dir: string): number[] {
  const names = readdirSync(dir).filter((name) => /^\d+\.log$/.test(name));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

function* linesOf(dir: string, starts: readonly number[], damage: Damage | null): Generator<SpoolLine> {
  for (const [n, start] of starts.entries()) {
    let bytes: Buffer = readFileSync(path.join(dir, `${start}.log`));
    const next = starts[n + 1];
    // Longer than the next segment's name says: the rest of a write that the disk refused, written again there.
    if (next !== undefined && start + bytes.length > next) bytes = bytes.subarray(0, next - start);
    damage?.segment(start, bytes.length);
    for (const line of decodeLines(bytes)) {
      if (damage !== null) damage.line(start, line);
      if (line !== null) yield line;
    }
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

  fault(): string | null {
    return this.#fault ?? (this.#namesNext ? 'the last segment is missing' : null);
  }
}
