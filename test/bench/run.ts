import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Ends } from './ends.js';
import { Inspector } from './inspector.js';
import { measure, takeTurns, warmUp, type Load, type Plan } from './measure.js';
import type { BenchOptions } from './options.js';
import { growth, idleStreamKib, type Growth } from './memory.js';
import { renderResults, type SetResult } from './report.js';
import { ROWS, pinBench, type Row, type RowName } from './rows.js';
import { stagePrices } from './stages.js';

const LOADS: readonly Load[] = [
  { name: '1KB', bodyBytes: 1_000, stream: false, callers: 64 },
  { name: '1KB-chain', bodyBytes: 1_000, stream: false, callers: 64, call: 'chain' },
  { name: '20KB', bodyBytes: 20_000, stream: false, callers: 64 },
  { name: '20KB-chain', bodyBytes: 20_000, stream: false, callers: 64, call: 'chain' },
  { name: '200KB', bodyBytes: 200_000, stream: false, callers: 64 },
  { name: 'sse', bodyBytes: 1_000, stream: true, callers: 64 },
  { name: 'sse-chain', bodyBytes: 1_000, stream: true, callers: 64, call: 'chain' },
  { name: 'sse-to-chat', bodyBytes: 1_000, stream: true, callers: 64, call: 'to-chat' },
  { name: 'sse-from-claude', bodyBytes: 1_000, stream: true, callers: 64, call: 'from-claude' },
  { name: '1KB-alone', bodyBytes: 1_000, stream: false, callers: 1 },
];

/** Rows that answer less than all loads. */
const ONLY: Partial<Record<RowName, readonly string[]>> = {
  budget: ['1KB'],
  budgets: ['1KB', '20KB'],
  strict: ['1KB'],
  archive: ['1KB', '20KB', 'sse'],
  crowded: ['1KB'],
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Runs what the options ask for, prints the table, and writes it where they say so. */
export async function runBench(root: string, options: BenchOptions): Promise<void> {
  if (!pinBench()) say('No taskset or only one core: proxies, load and stores share cores, the ratios mean little.');
  const ends = new Ends();
  await ends.listen();
  try {
    const sets: SetResult[] = [];
    for (let i = 1; i <= options.processes; i++) {
      say(`Set ${i} of ${options.processes}: starting the rows …`);
      sets.push(await runSet(root, ends, options));
    }
    if (options.profile) return;
    const text = renderResults(root, options, sets, await stagePrices());
    process.stdout.write(`${text}\n`);
    if (options.write) writeFileSync(path.join(root, 'test', 'bench', 'RESULTS.md'), text);
  } finally {
    await ends.close();
  }
}

/** One set of fresh processes, from start to stop. */
async function runSet(root: string, ends: Ends, options: BenchOptions): Promise<SetResult> {
  const rows: Row[] = [];
  try {
    for (const starter of ROWS) {
      if (starter.name !== 'd' && options.rows.length > 0 && !options.rows.includes(starter.name)) continue;
      const row = await starter.start(ends.upstreamPort);
      if (row !== null) rows.push(row);
    }
    const idleKib = new Map<RowName, number>();
    const crowded = rows.find(({ name }) => name === 'crowded');
    if (crowded !== undefined && !options.profile) {
      say('Opening silent streams …');
      idleKib.set('crowded', await idleStreamKib(ends, crowded, options.streams));
    }
    const plan = planOf(rows, options);
    say('Warming up …');
    await warmUp(ends, plan, (load) => (load.name === '1KB' ? 1 : 0.4) * options.warmCpuSeconds);
    if (options.profile) {
      await profile(root, ends, plan);
      return { samples: new Map(), idleKib, growth: null };
    }
    say('Measuring …');
    const samples = await takeTurns(ends, plan, options);
    return { samples, idleKib, growth: await growthOf(ends, rows, options) };
  } finally {
    await ends.release();
    await Promise.all(rows.map((row) => row.stop()));
  }
}

function planOf(rows: readonly Row[], options: BenchOptions): Plan {
  const loads = LOADS.filter(({ name }) => options.loads.length === 0 || options.loads.includes(name));
  // What is not plain chat is held against the plain calls of the same process.
  const takes = ({ name }: Row, load: Load): boolean =>
    load.call === undefined ? (ONLY[name]?.includes(load.name) ?? true) : name === 'governed';
  return loads.map((load) => ({ load, rows: rows.filter((row) => takes(row, load)) }));
}

async function growthOf(ends: Ends, rows: readonly Row[], options: BenchOptions): Promise<Growth | null> {
  const governed = rows.find(({ name }) => name === 'governed');
  if (governed === undefined || options.growthCalls === 0) return null;
  say(`Memory over ${options.growthCalls} calls …`);
  return growth(ends, governed, LOADS[0] as Load, options.growthCalls);
}

async function profile(root: string, ends: Ends, plan: Plan): Promise<void> {
  const folder = path.join(root, '.bench');
  mkdirSync(folder, { recursive: true });
  for (const { load, rows } of plan) {
    for (const row of rows) {
      const inspector = await Inspector.attach(row);
      const file = path.join(folder, `${row.name}-${load.name}.cpuprofile`);
      writeFileSync(file, await inspector.profile(() => measure(ends, row, load, { windowMs: 8000 })));
      inspector.close();
      say(`wrote .bench/${path.basename(file)}`);
    }
  }
}
