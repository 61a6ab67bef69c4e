// The process that runs the embedded Valkey: forked by wasm-server.ts, one owner per folder. It ends when its launcher
// says so or is gone (the IPC channel closes), saving first.
import { writeSync } from 'node:fs';
import net from 'node:net';
import { lockFolder } from '../folder-lock.js';
import { ValkeyEngine } from './engine.js';
import type { FromHost, ToHost } from './host-messages.js';
import { hasSnapshot, moveSnapshotAside, removeCutOffSaves, snapshotIsSound } from './snapshot-file.js';
import { Snapshots } from './snapshots.js';

type StartMessage = Extract<ToHost, { type: 'start' }>;

const LOCK_WAIT_MS = 15_000; // an earlier host may still be saving
const STDERR = 2;

function tell(message: FromHost): void {
  if (process.connected) process.send?.(message);
}

/** The engine's own dates are wrong: its lines are stamped here. */
function logEngine(text: string): void {
  for (const line of text.split('\n')) {
    const words = line.replace(/^\d+:\S \d\d \w+ \d{4} \d\d:\d\d:\d\d\.\d+ /, '');
    if (words.trim() !== '') writeSync(STDERR, `${new Date().toISOString()} ${words}\n`);
  }
}

/** Boots the engine; a snapshot that is damaged or that it cannot load is moved aside, and it starts empty. */
async function bootEngine(start: StartMessage): Promise<{ engine: ValkeyEngine; movedAside: string | null }> {
  const { folder, wasmFile } = start;
  const boot = (): Promise<ValkeyEngine> =>
    ValkeyEngine.boot(wasmFile, folder, logEngine, (error) => {
      logEngine(`the engine broke down: ${error.stack ?? error.message}`);
      process.exit(1);
    });
  removeCutOffSaves(folder);
  let why = 'its checksum is wrong';
  if (snapshotIsSound(folder)) {
    try {
      return { engine: await boot(), movedAside: null };
    } catch (error) {
      if (!hasSnapshot(folder)) throw error;
      why = (error as Error).message;
    }
  }
  logEngine(`dump.rdb cannot be loaded (${why}): moving it aside, starting empty`);
  const movedAside = moveSnapshotAside(folder);
  return { engine: await boot(), movedAside };
}

/**
 * Settings of the engine. `volatile-lru`: when memory is full, entries with a time to live (caches, unfinished sign-ins)
 * go first, and with none left writes are refused. What is owed (registry, counters, streams) carries no time to live,
 * so for it this is `noeviction`.
 */
async function configure(command: (...words: string[]) => Promise<unknown>, start: StartMessage): Promise<void> {
  await command('CONFIG', 'SET', 'save', ''); // no fork here: snapshots are made by us
  await command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
  await command('CONFIG', 'SET', 'maxmemory', `${start.maxMemoryMb}mb`);
  await command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
  await command('CONFIG', 'SET', 'requirepass', start.password);
  await command('AUTH', start.password);
}

async function listen(engine: ValkeyEngine, port: number): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    const pipe = engine.connect({
      write: (bytes) => socket.write(bytes),
      close: () => socket.destroySoon(),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    });
    socket.on('data', pipe.push).on('drain', pipe.drained);
    socket.on('end', pipe.end).on('close', pipe.end).on('error', pipe.end);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}

async function run(start: StartMessage): Promise<() => Promise<void>> {
  await lockFolder(start.folder, LOCK_WAIT_MS);
  const { engine, movedAside } = await bootEngine(start);
  const command = engine.localClient();
  await configure(command, start);
  const keys = Number(await command('DBSIZE'));
  const server = await listen(engine, start.port); // after the password is set
  const snapshots = new Snapshots(command, start.saveIntervalMs, (failure) => {
    logEngine(failure === null ? 'snapshots work again' : `snapshot failed: ${failure}`);
    tell({ type: 'snapshot', failure });
  });
  const timer = setInterval(() => void snapshots.saveIfDue(), Math.min(1000, start.saveIntervalMs));
  tell({ type: 'ready', port: (server.address() as net.AddressInfo).port, keys, movedAside });
  return async () => {
    clearInterval(timer);
    server.close();
    const saved = await snapshots.save();
    engine.halt();
    process.exit(saved ? 0 : 1);
  };
}

let running: Promise<() => Promise<void>> | null = null;
let stopping = false;

function stop(): void {
  if (stopping) return;
  stopping = true;
  if (running === null) process.exit(0);
  running.then((save) => save()).catch(() => process.exit(1));
}

process.on('message', (message: ToHost) => {
  if (message.type === 'stop') return stop();
  running ??= run(message);
  running.catch((error: Error) => {
    logEngine(`cannot start: ${error.message}`);
    tell({ type: 'failed', why: error.message });
    setTimeout(() => process.exit(1), 100);
  });
});
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
