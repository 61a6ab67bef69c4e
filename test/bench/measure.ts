import type { Ends, RunResult, RunSpec } from './ends.js';
import type { Call } from './payloads.js';
import { cpuMs, waitedMs } from './process-cost.js';
import type { Row, RowName } from './rows.js';

/** What a row is put under. */
export interface Load {
  readonly name: string;
  readonly bodyBytes: number;
  readonly stream: boolean;
  readonly callers: number;
  /** Default `chat`. */
  readonly call?: Call;
}

/** How much later than planned a window may end. */
const LATE_MS = 60_000;
/** Between the last answer and the look at the clock: what a call left to be done soon after is part of its price. */
const AFTERMATH_MS = 60;

/** CPU time of a row in one window, in µs per answer (streams: per piece). */
export interface Sample {
  readonly cpuMicros: number;
  /** The same of its Redis; `null`: it has none. */
  readonly redisMicros: number | null;
  readonly answers: number;
  /** Share of the window's time on the core that others took: they spoil caches and batching. */
  readonly disturbed: number;
}

/** One window of load on one row. */
export async function measure(
  ends: Ends,
  row: Row,
  load: Load,
  limit: { readonly windowMs: number; readonly maxAnswers?: number },
): Promise<Sample> {
  await ends.prepare(specOf(row, load, limit));
  if (limit.maxAnswers === undefined) row.hold?.(true);
  const before = cpuMs(row.pid);
  const waitedBefore = waitedMs(row.pid);
  const redisBefore = row.redisPid === null ? 0 : cpuMs(row.redisPid);
  const result = await ends.run(limit.windowMs + LATE_MS).catch((error: unknown) => {
    row.hold?.(false);
    throw new Error(`${row.name} under ${load.name}`, { cause: error });
  });
  await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MS));
  const spent = cpuMs(row.pid) - before;
  const waited = waitedMs(row.pid) - waitedBefore;
  row.hold?.(false);
  const units = unitsOf(load, result);
  if (row.redisPid !== null) await untilIdle(row.redisPid); // what the worker takes out again is part of the price
  return {
    cpuMicros: (spent * 1000) / units,
    redisMicros: row.redisPid === null ? null : ((cpuMs(row.redisPid) - redisBefore) * 1000) / units,
    answers: result.answers,
    disturbed: waited / (waited + spent),
  };
}

/** Until a process has done next to nothing for a moment, at most some seconds. */
async function untilIdle(pid: number): Promise<void> {
  for (let looks = 0, before = cpuMs(pid); looks < 12; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = cpuMs(pid);
    if (now - before <= 10) return;
    before = now;
  }
}

export function specOf(
  row: Row,
  load: Load,
  limit: { readonly windowMs: number; readonly maxAnswers?: number },
): RunSpec {
  return {
    port: row.port,
    key: row.key,
    bodyBytes: load.bodyBytes,
    stream: load.stream,
    call: load.call ?? 'chat',
    callers: load.callers,
    windowMs: limit.windowMs,
    maxAnswers: limit.maxAnswers ?? 0,
  };
}

function unitsOf(load: Load, result: RunResult): number {
  return load.stream ? result.pieces : result.answers;
}

/** Which rows are put under which load. */
export type Plan = readonly { readonly load: Load; readonly rows: readonly Row[] }[];

/** Gives every row so much of its own CPU time under each load, going round so that none gets cold. */
export async function warmUp(ends: Ends, plan: Plan, cpuSeconds: (load: Load) => number): Promise<void> {
  for (const { load, rows } of plan) {
    const until = new Map(rows.map((row) => [row, cpuMs(row.pid) + cpuSeconds(load) * 1000]));
    for (let cold = rows; cold.length > 0; cold = cold.filter((row) => cpuMs(row.pid) < (until.get(row) as number))) {
      for (const row of cold) await measure(ends, row, load, { windowMs: 1000 });
    }
  }
}

const TRIES = 3;
const PEACE = 0.05;

/** A window in which others held the core is taken again, at most twice; the calmest one counts. */
async function measureInPeace(ends: Ends, row: Row, load: Load, limit: { readonly windowMs: number }): Promise<Sample> {
  let calmest = await measure(ends, row, load, limit);
  for (let i = 1; i < TRIES && calmest.disturbed > PEACE; i++) {
    const again = await measure(ends, row, load, limit);
    if (again.disturbed < calmest.disturbed) calmest = again;
  }
  return calmest;
}

/** One sample per turn, by load and row. */
export type Samples = Map<string, Map<RowName, Sample[]>>;

/** Windows going round over loads and rows, there and back; every turn begins with another row. */
export async function takeTurns(
  ends: Ends,
  plan: Plan,
  options: { readonly turns: number; readonly windowMs: number },
): Promise<Samples> {
  const samples: Samples = new Map(
    plan.map(({ load, rows }) => [load.name, new Map(rows.map(({ name }): [RowName, Sample[]] => [name, []]))]),
  );
  for (let turn = 0; turn < options.turns; turn++) {
    for (const { load, rows } of turn % 2 === 0 ? plan : plan.toReversed()) {
      for (let i = 0; i < rows.length; i++) {
        const row = rows[(turn + i) % rows.length] as Row;
        samples
          .get(load.name)
          ?.get(row.name)
          ?.push(await measureInPeace(ends, row, load, options));
      }
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Median of the ratios of two rows or loads, each taken within one turn. */
export function ratio(of: readonly Sample[], to: readonly Sample[]): number {
  return median(of.map((sample, turn) => sample.cpuMicros / (to[turn] as Sample).cpuMicros));
}
