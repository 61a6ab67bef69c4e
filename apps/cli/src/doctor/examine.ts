import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { renderReport, type BootConfig, type LoadResult } from '#libs/platform/config.js';
import { executablesOnPath } from '#libs/platform/executables.js';
import { Secret } from '#libs/platform/secret.js';
import { checkCounterStore, spoolFolderOf, spoolPathProblem } from '#libs/keys-budgets/index.js';
import { addressOf, checkMongo, checkPostgres, checkRedis, createRedis, redisReady } from '#libs/stores/index.js';
import { checkListen } from '../serve/listen-check.js';
import { RunRecord } from '../serve/run-record.js';

/** One thing that was looked at. */
export interface Finding {
  readonly state: 'good' | 'warning' | 'bad';
  readonly what: string;
  readonly text: string;
}

/** A little more than a fresh installation writes in its first days. */
const LITTLE_SPACE_BYTES = 2 * 1024 ** 3;
const STORE_WAIT_MS = 3_000;

/** Looks at everything a start depends on, changing nothing. External stores get 3 s each to answer. */
export async function examine(result: LoadResult): Promise<readonly Finding[]> {
  const findings = [nodeVersion(), configuration(result)];
  if (!result.ok) return findings;
  const { boot } = result.config;
  const [address, ...stores] = await Promise.all([listenAddress(boot), postgres(boot), redis(boot), mongodb(boot)]);
  return [...findings, dataFolder(boot.dataDir), spoolFolder(boot.dataDir), address, ...stores];
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major >= 26 || (major === 24 && minor >= 15);
  const text = `${process.version} on ${process.platform}-${process.arch}`;
  return {
    state: fits ? 'good' : 'bad',
    what: 'Node.js',
    text: fits ? text : `${text}: 24.15 or later, or 26 or later, is needed`,
  };
}

function configuration(result: LoadResult): Finding {
  const warned = result.ok && result.config.warnings.length > 0;
  const state = result.ok ? (warned ? 'warning' : 'good') : 'bad';
  return { state, what: 'Configuration', text: renderReport(result).trimEnd().replaceAll('\n', '\n      ') };
}

function dataFolder(dataDir: string): Finding {
  const what = 'Data folder';
  const running = new RunRecord(dataDir).left();
  let folder = dataDir;
  while (!existsSync(folder)) folder = path.dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return {
      state: 'bad',
      what,
      text: `${dataDir} cannot be written by this account ("data_dir", SMARTFLOW_DATA_DIR)`,
    };
  }
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const use = running.length > 0 ? ', in use or left by a run that was killed' : '';
  const text = `${dataDir}, ${(freeBytes / 1024 ** 3).toFixed(1)} GiB free${use}`;
  return { state: freeBytes < LITTLE_SPACE_BYTES ? 'warning' : 'good', what, text };
}

/** The spool of calls needs a socket in its folder: its path has a longest length, and not every file system takes sockets. */
function spoolFolder(dataDir: string): Finding {
  const what = 'Spool';
  const folder = spoolFolderOf(dataDir);
  const problem = spoolPathProblem(folder);
  if (problem !== null) return { state: 'bad', what, text: problem };
  return { state: 'good', what, text: folder };
}

async function listenAddress({ listen, dataDir }: BootConfig): Promise<Finding> {
  const what = 'Address';
  const problem = await checkListen(listen.host, listen.port);
  const at = `${listen.host}:${listen.port}`;
  if (problem === null)
    return { state: 'good', what, text: listen.port === 0 ? `${listen.host}, any free port` : `${at} is free` };
  // Taken by this very installation, most likely: worth saying, not a fault.
  const own = new RunRecord(dataDir).left().length > 0;
  return { state: own ? 'warning' : 'bad', what, text: problem };
}

async function postgres({ stores }: BootConfig): Promise<Finding> {
  return store(
    'PostgreSQL',
    stores.postgres,
    'postgres',
    async (url) => `PostgreSQL ${await checkPostgres(url, STORE_WAIT_MS)} at ${addressOf(url)}`,
  );
}

async function redis({ stores }: BootConfig): Promise<Finding> {
  return store('Redis', stores.redis, 'valkey-server or redis-server', async (url) => {
    const name = await checkRedis(url, STORE_WAIT_MS);
    await checkCounters(url);
    return `${name} at ${addressOf(url)}`;
  });
}

/** What budgets ask of Redis beyond its version: scripts, and INFO in them. */
async function checkCounters(url: Secret): Promise<void> {
  const redis = createRedis(url, 'background');
  try {
    await checkCounterStore(await redisReady(redis, url, STORE_WAIT_MS));
  } finally {
    redis.disconnect();
  }
}

async function mongodb({ stores }: BootConfig): Promise<Finding> {
  if (stores.mongodb === null) return { state: 'good', what: 'Archive', text: 'bodies are kept in PostgreSQL' };
  return store('Archive', stores.mongodb, '', async (url) => {
    await checkMongo(url, STORE_WAIT_MS);
    return `MongoDB at ${addressOf(url)}`;
  });
}

async function store(
  what: string,
  setting: Secret | 'embedded' | 'bundled',
  program: string,
  check: (url: Secret) => Promise<string>,
): Promise<Finding> {
  if (!(setting instanceof Secret)) return { state: 'good', what, text: embeddedText(setting, program) };
  try {
    return { state: 'good', what, text: await check(setting) };
  } catch (error) {
    return { state: 'bad', what, text: (error as Error).message };
  }
}

/** A server on PATH is preferred to the bundled one where it is recent enough; the start says which one it took. */
function embeddedText(setting: 'embedded' | 'bundled', program: string): string {
  const found = setting === 'bundled' ? [] : program.split(' or ').flatMap((name) => executablesOnPath(name));
  return found.length === 0
    ? 'embedded: the bundled server'
    : `embedded: ${found[0]} if it is recent enough, else the bundled server`;
}
