// npm run chaos:budgets -- [--seeds 1-3] [--secs 15] … : randomised proof of the hard budgets on real processes and stores.
// Gateways, worker and Redis are killed, stopped, rolled back, their disks lost; the fake upstream knows the truth.
// Ends with one line of JSON; exit code 1 when anything did not add up.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Secret } from '#libs/platform/secret.js';
import { migrate } from '#libs/stores/index.js';
import { startTestPostgres } from '#libs/stores/testing.js';
import type { Options, Totals } from './options.js';
import { type RedisKind } from './redis-server.js';
import { runSeed } from './seed.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-2' },
    secs: { type: 'string', default: '15' },
    gateways: { type: 'string', default: '3' },
    callers: { type: 'string', default: '40' },
    freeze: { type: 'string', default: '4000' },
    think: { type: 'string', default: '30' },
    'lost-after': { type: 'string', default: '2500' },
    mode: { type: 'string', default: 'mixed' },
    leased: { type: 'string', default: 'yes' },
    redis: { type: 'string', default: 'both' },
    'redis-server': { type: 'string', default: 'redis-server' },
    'redis-port': { type: 'string', default: '7790' },
    /** Default: a bundled one of its own. */
    pg: { type: 'string' },
    'pg-crash': { type: 'string' },
    dir: { type: 'string' },
    'double-failure': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(1));
if (values.verbose) process.env['CHAOS_VERBOSE'] = '1';
const dir = values.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'sf-chaos-'));
const options: Options = {
  seconds: Number(values.secs),
  dir,
  gateways: Number(values.gateways),
  callers: Number(values.callers),
  redisServer: values['redis-server'],
  redisPort: Number(values['redis-port']),
  kind: values.redis as RedisKind | 'both',
  isStrict: values.mode === 'strict',
  isLeased: values.leased === 'yes',
  freezeMs: Number(values.freeze),
  thinkMs: Number(values.think),
  lostAfterMs: Number(values['lost-after']),
  pgCrash: values['pg-crash'] ?? null,
  doubleFailure: values['double-failure'],
  verbose: values.verbose,
};
const totals: Totals = {
  seeds: 0,
  calls: 0,
  rows: 0,
  unknown: 0,
  slices: 0,
  gatewayKills: 0,
  disksLost: 0,
  workerKills: 0,
  pauses: 0,
  redisCrashes: {},
  redisFreezes: 0,
  pgCrashes: 0,
  checks: 0,
  probes: 0,
  violations: [],
};

/** One empty, migrated database per seed. */
const own = values.pg === undefined ? await startTestPostgres() : null;
async function database(seed: number): Promise<string> {
  if (own !== null) {
    const { ownerUrl } = await own.createDatabase();
    await migrate(ownerUrl);
    return ownerUrl.reveal();
  }
  const name = `chaos_${seed}`;
  const client = new pg.Client({ connectionString: values.pg });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const url = new URL(values.pg as string);
  url.pathname = `/${name}`;
  await migrate(new Secret(url.href));
  return url.href;
}

const [first = 1, last = first] = values.seeds.split('-').map(Number);
try {
  for (let seed = first; seed <= last; seed++) {
    await runSeed(seed, await database(seed), options, totals);
    console.log('so far', JSON.stringify({ ...totals, violations: totals.violations.length }));
  }
} finally {
  await own?.stop();
}
console.log(JSON.stringify(totals));
process.exit(totals.violations.length > 0 ? 1 : 0);
