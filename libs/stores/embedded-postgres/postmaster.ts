import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  acceptsConnections,
  childEnd,
  commandLineHas,
  endProcess,
  freePort,
  isAlive,
  processEnd,
} from '../processes.js';
import type { ServerLog } from '../server-log.js';
import { ids } from './account.js';
import { CLEAN_ENVIRONMENT, type PostgresBinaries } from './binaries.js';
import type { Placement } from './placement.js';

/** A running postmaster. */
export interface Postmaster {
  readonly how: 'started' | 'adopted';
  readonly pid: number;
  readonly port: number;
  /** Resolves with the reason as soon as the server has ended, for whatever cause. */
  readonly ended: Promise<string>;
}

/**
 * Small footprint; the ledger's durability is untouched. What goes wrong with a statement is told to its sender alone:
 * in the log it would quote values.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: '80',
  max_wal_size: '256MB',
  min_wal_size: '48MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  log_checkpoints: 'off',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
};

const READY_TIMEOUT_MS = 180_000; // recovery after a crash included: seconds, on a slow disk more
const RETRY_FOR_MS = 30_000;
/** Refusals that pass by themselves: what a killed server left behind, and a port taken in the meantime. */
const PASSING = [
  /pre-existing shared memory block/,
  /lock file ".*" already exists/,
  /could not bind IPv4 address/,
  /could not create any TCP\/IP sockets/,
];

/** A server that survived its starter, waited for until it is ready; `null` when there is none. */
export async function adopt(placement: Placement): Promise<Postmaster | null> {
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const state = readState(placement.data);
    if (state === null) return null;
    if (state.ready && (await acceptsConnections('127.0.0.1', state.port, 500))) {
      return { how: 'adopted', pid: state.pid, port: state.port, ended: processEnd(state.pid) };
    }
    if (performance.now() > giveUpAt) {
      throw new Error(`a PostgreSQL of an earlier start (process ${state.pid}) does not become ready: end it`);
    }
    await sleep(20);
  }
}

/** Starts the server on `port`, or on a free one. Rejects with the server's own words. */
export async function start(
  placement: Placement,
  binaries: PostgresBinaries,
  log: ServerLog,
  options: { readonly port: number | null; readonly settings: Readonly<Record<string, string>> },
): Promise<Postmaster> {
  const giveUpAt = performance.now() + RETRY_FOR_MS;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const settings = { ...SETTINGS, ...(binaries.major >= 18 ? { io_method: 'sync' } : {}), ...options.settings };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    log.mark();
    const child = spawn(binaries.postgres, ['-D', placement.data, '-p', String(port), ...flags], {
      ...ids(placement.account),
      cwd: '/',
      env: CLEAN_ENVIRONMENT,
      stdio: ['ignore', 'ignore', log.descriptor],
      detached: true, // Ctrl-C must not end it before the product has drained
    });
    const ended = childEnd(child);
    if (await becomesReady(child, placement.data, ended)) {
      child.unref();
      return { how: 'started', pid: child.pid as number, port, ended };
    }
    const words = fatalLines(log.tail());
    if (!PASSING.some((passing) => passing.test(words)) || performance.now() > giveUpAt) {
      throw new Error(`PostgreSQL ${binaries.version} does not start: ${words || (await ended)}`);
    }
    await sleep(Math.min(1000, 100 * attempt));
  }
}

/**
 * Stops the server: SIGINT (fast: clients are cut off, a checkpoint is written) for 10 s, then SIGQUIT (the next start
 * recovers from the log) for 6 s, then SIGKILL.
 */
export async function stop(pid: number): Promise<void> {
  await endProcess(pid, [
    { signal: 'SIGINT', waitMs: 10_000 },
    { signal: 'SIGQUIT', waitMs: 6000 },
    { signal: 'SIGKILL', waitMs: 2000 },
  ]);
}

/**
 * postmaster.pid: line 1 pid, 4 port, 8 state. Believed only while that process lives and was started on this folder;
 * a file that names a dead or foreign process would keep the server from starting and is removed (we hold the lock).
 */
function readState(data: string): { pid: number; port: number; ready: boolean } | null {
  const file = path.join(data, 'postmaster.pid');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return null;
  }
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid) || !commandLineHas(pid, data)) {
    rmSync(file, { force: true });
    return null;
  }
  return { pid, port: Number(lines[3]), ready: (lines[7] ?? '').startsWith('ready') };
}

async function becomesReady(child: ChildProcess, data: string, ended: Promise<string>): Promise<boolean> {
  let over = false;
  void ended.then(() => (over = true));
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  while (!over && performance.now() < giveUpAt) {
    const state = child.pid === undefined ? null : peek(data, child.pid);
    if (state) return true;
    await sleep(10);
  }
  if (!over && child.pid !== undefined) await stop(child.pid);
  return false;
}

function peek(data: string, pid: number): boolean {
  try {
    const lines = readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[0]) === pid && (lines[7] ?? '').startsWith('ready');
  } catch {
    return false;
  }
}

function fatalLines(text: string): string {
  const lines = text.split('\n').filter((line) => /FATAL|PANIC|could not|HINT|DETAIL|ERROR/.test(line));
  return lines.slice(-6).join(' | ');
}
