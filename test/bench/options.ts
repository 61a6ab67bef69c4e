import { parseArgs } from 'node:util';

/** How long and how often is measured; the defaults are those of a full run. */
export interface BenchOptions {
  /** Complete sets of fresh processes, one after the other. */
  readonly processes: number;
  readonly turns: number;
  readonly windowMs: number;
  /** CPU time every row gets on the 1 KB load before anything is measured; other loads get 40 % of it. */
  readonly warmCpuSeconds: number;
  /** Streams held open for the row of short calls. */
  readonly streams: number;
  /** Calls between the two looks at memory. */
  readonly growthCalls: number;
  /** Names of rows and loads to measure; empty: all. */
  readonly rows: readonly string[];
  readonly loads: readonly string[];
  /** Only take a CPU profile of the chosen rows under the chosen loads. */
  readonly profile: boolean;
  /** Write `test/bench/RESULTS.md`. */
  readonly write: boolean;
}

const FULL = { processes: 3, turns: 9, windowMs: 1000, warmCpuSeconds: 20, streams: 4000, growthCalls: 200_000 };
const QUICK = { processes: 1, turns: 5, windowMs: 500, warmCpuSeconds: 3, streams: 1000, growthCalls: 20_000 };

export const USAGE = `npm run bench -- [--quick] [--processes N] [--turns N] [--warm SECONDS] [--streams N] [--growth CALLS]
                 [--rows name,…] [--loads name,…] [--profile] [--write]

Without options: the full run (about 45 minutes on two cores), which writes test/bench/RESULTS.md.
--quick         a trial of a few minutes; writes nothing unless --write is given
--profile       takes a CPU profile of each chosen row and load into .bench/ instead of measuring`;

/** Reads the command line; throws an Error with a message for the user. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      processes: { type: 'string' },
      turns: { type: 'string' },
      warm: { type: 'string' },
      streams: { type: 'string' },
      growth: { type: 'string' },
      rows: { type: 'string', default: '' },
      loads: { type: 'string', default: '' },
      profile: { type: 'boolean', default: false },
      write: { type: 'boolean' },
    },
  });
  const base = values.quick ? QUICK : FULL;
  const rows = names(values.rows);
  const loads = names(values.loads);
  return {
    processes: number('processes', values.processes, base.processes),
    turns: number('turns', values.turns, base.turns),
    windowMs: base.windowMs,
    warmCpuSeconds: number('warm', values.warm, base.warmCpuSeconds),
    streams: number('streams', values.streams, base.streams),
    growthCalls: number('growth', values.growth, base.growthCalls),
    rows,
    loads,
    profile: values.profile,
    write: values.write ?? (!values.quick && !values.profile && rows.length === 0 && loads.length === 0),
  };
}

function names(text: string): string[] {
  return text.split(',').filter((name) => name !== '');
}

function number(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} needs a number, not "${text}"`);
  return value;
}
