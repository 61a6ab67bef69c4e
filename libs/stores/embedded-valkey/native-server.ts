import { execFile, spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { executablesOnPath } from '#libs/platform/executables.js';
import { Secret } from '#libs/platform/secret.js';
import { childEnd, endProcess, freePort, isAlive, processEnd } from '../processes.js';
import type { ServerLog } from '../server-log.js';
import { askServer } from './ask-server.js';
import { DEFAULT_MAX_MEMORY_MB, type EmbeddedRedis, type EmbeddedRedisOptions } from './embedded-redis.js';

/** A server program found on PATH. */
export interface RedisProgram {
  readonly file: string;
  /** Such as `Redis 7.0.15`. */
  readonly name: string;
}

const OLDEST = { major: 6, minor: 2 };
const READY_TIMEOUT_MS = 60_000; // loading the append-only file included
const ATTEMPTS = 4;
const ENDINGS = [
  { signal: 'SIGTERM', waitMs: 15_000 },
  { signal: 'SIGKILL', waitMs: 2000 },
] as const;
const DAMAGED = /Bad file format|Unexpected end of file|Wrong signature|CRC|Internal error in RDB|manifest|Short read/i;
const run = promisify(execFile);

/** The first `redis-server` or `valkey-server` on PATH that is new enough (6.2). */
export async function findRedisProgram(searchPath?: string): Promise<RedisProgram | null> {
  for (const file of ['redis-server', 'valkey-server'].flatMap((name) => executablesOnPath(name, searchPath))) {
    const answer = await run(file, ['--version'], { env: {}, cwd: '/', timeout: 5000 }).catch(() => null);
    const version = /^(\w+) server v=((\d+)\.(\d+)[\w.]*)/.exec(answer?.stdout ?? '');
    if (version === null) continue;
    const [major, minor] = [Number(version[3]), Number(version[4])];
    if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) {
      return { file, name: `${version[1]} ${version[2]}` };
    }
  }
  return null;
}

/** Folder of a native server inside the store's folder. */
export function nativeFolder(options: EmbeddedRedisOptions): string {
  return path.join(options.folder, 'native');
}

/** True when a native server has kept data there. */
export function hasNativeData(options: EmbeddedRedisOptions): boolean {
  const folder = nativeFolder(options);
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('appendonly'));
}

/**
 * A native server that outlived its starter (nothing tells it that we were killed): taken over when it answers to our
 * password from our folder, else ended. `null` when there is none. We hold the folder's lock meanwhile.
 */
export async function adoptNativeServer(
  options: EmbeddedRedisOptions,
  password: string,
): Promise<EmbeddedRedis | null> {
  const folder = nativeFolder(options);
  const survivor = readSurvivor(folder);
  if (survivor === null) return null;
  const name = await identify(survivor.port, password, folder, survivor.pid).catch(() => null);
  const keepsPort = options.port === undefined || options.port === survivor.port;
  if (name !== null && keepsPort) {
    const ended = processEnd(survivor.pid);
    return toServer({ ...survivor, name: `${name}, taken over from an earlier start`, folder, password, ended });
  }
  // Only where its folder could be seen is it certain that the process is ours to end.
  if (!existsSync('/proc/self/cwd') || !(await endProcess(survivor.pid, ENDINGS))) {
    throw new Error(`a Redis server of an earlier start (process ${survivor.pid}) does not answer: end it`);
  }
  return null;
}

/** Starts the program on our folder with an append-only file, flushed every second. */
export async function startNativeServer(
  program: RedisProgram,
  options: EmbeddedRedisOptions,
  password: string,
  log: ServerLog,
): Promise<EmbeddedRedis> {
  mkdirSync(nativeFolder(options), { recursive: true, mode: 0o700 });
  const folder = realpathSync(nativeFolder(options));
  let movedAside = false;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    writeFileSync(path.join(folder, 'port'), String(port), { mode: 0o600 }); // before the start: a survivor is found by it
    log.mark();
    const child = spawn(program.file, ['-'], {
      cwd: '/',
      env: {},
      stdio: ['pipe', log.descriptor, log.descriptor],
      detached: true, // Ctrl-C must not end it before the product has drained
    });
    const ended = childEnd(child);
    child.stdin?.on('error', () => {}); // shows as the child's end
    child.stdin?.end(configuration(folder, port, password, options.maxMemoryMb ?? DEFAULT_MAX_MEMORY_MB));
    if (await becomesReady(child, ended, port, password, folder)) {
      child.unref();
      const name = `${program.name} (found on PATH)`;
      return toServer({ name, folder, pid: child.pid as number, port, password, ended });
    }
    const words = log.tail();
    if (DAMAGED.test(words) && !movedAside) {
      movedAside = true;
      options.onProgress?.(`warning: the append-only file could not be loaded and was moved to ${moveAside(folder)}`);
    } else if (!/Address already in use/.test(words) || attempt === ATTEMPTS) {
      throw new Error(`${program.name} does not start: ${lastWords(words) || (await ended)}`);
    }
    await sleep(100 * attempt);
  }
}

/** Goes in through stdin, so that the password is on no command line and in no further file. */
function configuration(folder: string, port: number, password: string, maxMemoryMb: number): string {
  const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${quoted(folder)}`,
    `pidfile ${quoted(path.join(folder, 'redis.pid'))}`,
    `requirepass ${password}`,
    'databases 16',
    'save ""',
    'appendonly yes',
    'appendfsync everysec',
    'auto-aof-rewrite-min-size 32mb',
    `maxmemory ${maxMemoryMb}mb`,
    // Only what has a time to live may go when memory is full: caches. What is owed has none. See README.
    'maxmemory-policy volatile-lru',
    'loglevel notice',
    '',
  ].join('\n');
}

async function becomesReady(
  child: ChildProcess,
  ended: Promise<string>,
  port: number,
  password: string,
  folder: string,
): Promise<boolean> {
  let over = false;
  void ended.then(() => (over = true));
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  while (!over && performance.now() < giveUpAt) {
    const name = await identify(port, password, folder, child.pid as number).catch(() => null);
    if (name !== null) return true;
    await sleep(15);
  }
  if (!over && child.pid !== undefined) await endProcess(child.pid, ENDINGS);
  return false;
}

/** The server's name and version, provided it is that process, knows the password and works in that folder. */
async function identify(port: number, password: string, folder: string, pid: number): Promise<string | null> {
  const commands = [['AUTH', password], ['CONFIG', 'GET', 'dir'], ['INFO', 'server'], ['PING']];
  const [, dir, info, pong] = await askServer(port, commands, 1000);
  if (pong !== 'PONG' || typeof info !== 'string' || !Array.isArray(dir) || dir[1] !== realpathSync(folder))
    return null;
  if (Number(/process_id:(\d+)/.exec(info)?.[1]) !== pid) return null;
  const valkey = /valkey_version:(\S+)/.exec(info)?.[1];
  return valkey === undefined ? `Redis ${/redis_version:(\S+)/.exec(info)?.[1] ?? '?'}` : `Valkey ${valkey}`;
}

/** The server writes its pid file, we the port: both are there when one was left running. */
function readSurvivor(folder: string): { pid: number; port: number } | null {
  try {
    const pid = Number(readFileSync(path.join(folder, 'redis.pid'), 'utf8'));
    const port = Number(readFileSync(path.join(folder, 'port'), 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 && isAlive(pid) && worksIn(pid, folder) ? { pid, port } : null;
  } catch {
    return null;
  }
}

/** Guards against a reused pid: the server's working folder is its data folder. Without /proc the answer is yes. */
function worksIn(pid: number, folder: string): boolean {
  if (!existsSync('/proc/self/cwd')) return true;
  return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder);
}

interface Running {
  readonly name: string;
  readonly folder: string;
  readonly pid: number;
  readonly port: number;
  readonly password: string;
  readonly ended: Promise<string>;
}

function toServer({ name, folder, pid, port, password, ended }: Running): EmbeddedRedis {
  let over = false;
  void ended.then(() => (over = true));
  return {
    description: `embedded ${name}, append-only file flushed every second, data in ${folder}`,
    engine: 'native',
    pid,
    port,
    url: new Secret(`redis://:${password}@127.0.0.1:${port}`),
    ended,
    stop: async () => {
      if (!over) await endProcess(pid, ENDINGS);
    },
  };
}

function moveAside(folder: string): string {
  const aside = path.join(folder, `damaged-${Date.now()}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('appendonly'))) {
    renameSync(path.join(folder, name), path.join(aside, name));
  }
  return aside;
}

function lastWords(log: string): string {
  return log.trim().split('\n').slice(-3).join(' | ');
}
