import os from 'node:os';
import { readFileSync } from 'node:fs';
import { median, ratio, type Samples } from './measure.js';
import type { Growth } from './memory.js';
import { versionOf } from './node-binary.js';
import type { BenchOptions } from './options.js';
import type { RowName } from './rows.js';
import type { StagePrice } from './stages.js';

/** What one set of processes gave. */
export interface SetResult {
  readonly samples: Samples;
  readonly idleKib: ReadonlyMap<RowName, number>;
  readonly growth: Growth | null;
}

/** A line of the table: how to read it out of a set, and what it should hold. */
interface Line {
  readonly name: string;
  readonly goal: number | null;
  readonly unit: '' | ' KB' | ' µs';
  /** `null` when the set did not measure it. */
  of(set: SetResult): number | null;
}

function ratioLine(name: string, load: string, of: RowName, to: RowName, goal: number | null): Line {
  return betweenLine(name, [load, of], [load, to], goal);
}

/** The same of two loads on one process. */
function loadsLine(name: string, of: string, to: string, goal: number | null): Line {
  return betweenLine(name, [of, 'governed'], [to, 'governed'], goal);
}

type Measured = readonly [load: string, row: RowName];

function betweenLine(name: string, of: Measured, to: Measured, goal: number | null): Line {
  return {
    name,
    goal,
    unit: '',
    of({ samples }) {
      const [a, b] = [of, to].map(([load, row]) => samples.get(load)?.get(row) ?? []);
      return a === undefined || b === undefined || a.length === 0 || b.length === 0 ? null : ratio(a, b);
    },
  };
}

/** CPU time of a row's Redis per call. A tick of the kernel's clock is 10 ms: read the median of many windows. */
function redisLine(name: string, row: RowName, goal: number | null): Line {
  return {
    name,
    goal,
    unit: ' µs',
    of({ samples }) {
      const taken = samples.get('1KB')?.get(row) ?? [];
      const micros = taken.map(({ redisMicros }) => redisMicros).filter((value) => value !== null);
      return micros.length === 0 ? null : median(micros);
    },
  };
}

const LINES: readonly Line[] = [
  ratioLine('row d ÷ nginx, 1 KB', '1KB', 'd', 'nginx', 4.5),
  ratioLine('all features off ÷ row d, 1 KB', '1KB', 'off', 'd', 1.1),
  ratioLine('all features off ÷ row d, 20 KB', '20KB', 'off', 'd', null),
  ratioLine('all features off ÷ row d, 200 KB', '200KB', 'off', 'd', null),
  ratioLine('all features off ÷ row d, 1 KB, one caller', '1KB-alone', 'off', 'd', null),
  ratioLine('governed ÷ row d, 1 KB', '1KB', 'governed', 'd', 1.4),
  ratioLine('governed ÷ row d, 20 KB', '20KB', 'governed', 'd', 1.6),
  ratioLine('governed ÷ row d, 200 KB', '200KB', 'governed', 'd', null),
  ratioLine('governed ÷ row d, 1 KB, one caller', '1KB-alone', 'governed', 'd', null),
  ratioLine('one budget ÷ row d, 1 KB', '1KB', 'budget', 'd', null),
  ratioLine('six budgets ÷ row d, 1 KB', '1KB', 'budgets', 'd', 1.45),
  ratioLine('six budgets ÷ row d, 20 KB', '20KB', 'budgets', 'd', 1.7),
  ratioLine('six strict budgets ÷ row d, 1 KB', '1KB', 'strict', 'd', 1.7),
  redisLine('Redis per call without budgets', 'governed', null),
  redisLine('Redis per call, one budget', 'budget', 12),
  redisLine('Redis per call, six budgets', 'budgets', 12),
  redisLine('Redis per call, six strict budgets', 'strict', 40),
  ratioLine('governed with archive ÷ governed, 1 KB', '1KB', 'archive', 'governed', null),
  ratioLine('governed with archive ÷ governed, 20 KB', '20KB', 'archive', 'governed', null),
  ratioLine('features off ÷ bare relay, per stream chunk', 'sse', 'off', 'd', null),
  ratioLine('governed ÷ bare relay, per stream chunk', 'sse', 'governed', 'd', 1.15),
  ratioLine('governed with archive ÷ governed, per stream chunk', 'sse', 'archive', 'governed', null),
  loadsLine('chain of two, the first well ÷ direct call, 1 KB', '1KB-chain', '1KB', 1.05),
  loadsLine('chain of two, the first well ÷ direct call, 20 KB', '20KB-chain', '20KB', 1.05),
  loadsLine('chain of two, the first well ÷ direct call, per stream chunk', 'sse-chain', 'sse', 1.05),
  loadsLine('translated ÷ same dialect, per stream chunk, Anthropic caller of OpenAI', 'sse-to-chat', 'sse', 3),
  loadsLine('translated ÷ same dialect, per stream chunk, OpenAI caller of Claude', 'sse-from-claude', 'sse', 3),
  ratioLine('short calls with open streams ÷ without, 1 KB', '1KB', 'crowded', 'governed', 1.15),
  { name: 'memory of an idle open stream', goal: 35, unit: ' KB', of: ({ idleKib }) => idleKib.get('crowded') ?? null },
  {
    name: 'live memory left behind by all calls of the growth run',
    goal: 1024,
    unit: ' KB',
    of: ({ growth }) => growth?.liveKib ?? null,
  },
  {
    name: 'resident memory added by the growth run',
    goal: null,
    unit: ' KB',
    of: ({ growth }) => growth?.rssKib ?? null,
  },
  {
    name: 'resident memory of the governed process at the end',
    goal: 250 * 1024,
    unit: ' KB',
    of: ({ growth }) => growth?.rssAfterKib ?? null,
  },
];

/** The whole report in Markdown. */
export function renderResults(
  root: string,
  options: BenchOptions,
  sets: readonly SetResult[],
  stages: readonly StagePrice[],
): string {
  return [
    '# Benchmark results',
    '',
    'Made by `npm run bench` (see README.md in this folder for what the rows are and how they are measured).',
    '',
    ...machine(root, options),
    `- ${disturbance(sets)}`,
    '',
    '## Against the goals',
    '',
    'Median over the sets of processes, with the lowest and highest set. Ratios are of CPU time in the same turn.',
    '',
    '| | measured | lowest – highest | goal |',
    '| --- | --- | --- | --- |',
    ...LINES.flatMap((line) => lineOf(line, sets)),
    '',
    '## CPU time per call',
    '',
    'µs of the whole proxy process, user and system, median of all windows; streams per chunk. In brackets: calls in a window.',
    '',
    ...absolute(sets),
    '',
    '## Price of each stage',
    '',
    'Each stage alone in a warm loop, µs. Without network, sockets and garbage of the rest.',
    '',
    '| stage | µs |',
    '| --- | --- |',
    ...stages.map(({ stage, micros }) => `| ${stage} | ${micros.toFixed(2)} |`),
    '',
  ].join('\n');
}

function machine(root: string, options: BenchOptions): string[] {
  const cpus = os.cpus();
  const memoryGb = Math.round(os.totalmem() / 2 ** 30);
  const kernel = os.release().split('.').slice(0, 2).join('.');
  return [
    `- ${new Date().toISOString().slice(0, 10)}, ${cpus.length} cores (${cpus[0]?.model.trim() ?? 'unknown'}), ${memoryGb} GB, Linux ${kernel}, load average ${loadAverage()}`,
    `- Node ${process.versions.node}, Fastify ${versionOf(root, 'fastify')}, undici ${versionOf(root, 'undici')}, NestJS ${versionOf(root, '@nestjs/core')}`,
    `- ${options.processes} sets of processes, ${options.turns} turns of ${options.windowMs} ms windows, ${options.warmCpuSeconds} s of own CPU time to warm up (40 % of it for each load other than 1 KB), ${options.streams} open streams, ${options.growthCalls} calls in the growth run`,
  ];
}

/** How noisy the run was. */
function disturbance(sets: readonly SetResult[]): string {
  const all = sets.flatMap(({ samples }) => [...samples.values()].flatMap((rows) => [...rows.values()].flat()));
  const shares = all.map(({ disturbed }) => disturbed).sort((a, b) => a - b);
  const percent = (share: number | undefined): string => `${((share ?? 0) * 100).toFixed(0)} %`;
  const at = (part: number): string => percent(shares[Math.floor(shares.length * part)]);
  return `others held the proxies' core for ${at(0.5)} of a window in the median, ${at(0.9)} in the worst tenth (a window with more than 5 % is taken up to three times, the calmest counts)`;
}

/** Over the last 15 minutes, the bench's own two included. */
function loadAverage(): string {
  return readFileSync('/proc/loadavg', 'utf8').split(' ')[2] as string;
}

function lineOf(line: Line, sets: readonly SetResult[]): string[] {
  const values = sets.map((set) => line.of(set)).filter((value) => value !== null);
  if (values.length === 0) return [];
  const show = (value: number): string => value.toFixed(line.unit === '' ? 2 : value < 100 ? 1 : 0) + line.unit;
  const middle = median(values);
  const verdict =
    line.goal === null ? '' : `≤ ${line.goal}${line.unit} ${Number(middle.toFixed(2)) <= line.goal ? '✓' : '✗'}`;
  return [
    `| ${line.name} | ${show(middle)} | ${show(Math.min(...values))} – ${show(Math.max(...values))} | ${verdict} |`,
  ];
}

function absolute(sets: readonly SetResult[]): string[] {
  const loads = [...new Set(sets.flatMap(({ samples }) => [...samples.keys()]))];
  const rows = [...new Set(sets.flatMap(({ samples }) => [...samples.values()].flatMap((of) => [...of.keys()])))];
  const cell = (load: string, row: RowName): string => {
    const all = sets.flatMap(({ samples }) => samples.get(load)?.get(row) ?? []);
    if (all.length === 0) return '';
    return `${median(all.map(({ cpuMicros }) => cpuMicros)).toFixed(1)} (${Math.round(median(all.map(({ answers }) => answers)))})`;
  };
  return [
    `| row | ${loads.join(' | ')} |`,
    `| --- |${' --- |'.repeat(loads.length)}`,
    ...rows.map((row) => `| ${row} | ${loads.map((load) => cell(load, row)).join(' | ')} |`),
  ];
}
