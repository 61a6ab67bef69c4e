import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lockFolder } from '../folder-lock.js';
import { ServerLog } from '../server-log.js';
import type { EmbeddedRedis, EmbeddedRedisOptions } from './embedded-redis.js';
import { adoptNativeServer, findRedisProgram, hasNativeData, startNativeServer } from './native-server.js';
import { startWasmServer } from './wasm-server.js';

/**
 * Runs a private Redis-compatible server on a folder: a `redis-server`/`valkey-server` found on PATH (6.2 or newer; never
 * one that runs already), else, or when `bundled` is asked for, the bundled Valkey. Loopback only, password from a 0600
 * file. The folder belongs to this process until `stop()` or its end.
 *
 * The two kinds cannot read each other's data, so an existing folder stays with the kind that wrote it.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const lock = await lockFolder(options.folder, options.lockWaitMs ?? 5000);
  const log = ServerLog.open(path.join(options.folder, 'server.log'));
  const close = (): void => {
    log.close();
    lock.release();
  };
  try {
    const password = loadPassword(path.join(options.folder, 'password'));
    const server = await startEither(options, password, log);
    return { ...server, stop: () => server.stop().finally(close) };
  } catch (error) {
    close();
    throw error;
  }
}

async function startEither(options: EmbeddedRedisOptions, password: string, log: ServerLog): Promise<EmbeddedRedis> {
  const native = hasNativeData(options);
  if (options.wanted === 'bundled') {
    await adoptNativeServer(options, password).then((survivor) => survivor?.stop());
    if (native) options.onProgress?.(`warning: what redis-server kept in ${options.folder}/native is not used now`);
    return startWasmServer(options, password, log);
  }
  if (!native && existsSync(path.join(options.folder, 'wasm', 'dump.rdb'))) {
    return startWasmServer(options, password, log);
  }
  const survivor = await adoptNativeServer(options, password);
  if (survivor !== null) return survivor;
  const program = await findRedisProgram(options.searchPath);
  if (program !== null) return startNativeServer(program, options, password, log);
  if (!native) return startWasmServer(options, password, log);
  throw new Error(
    `the data in ${options.folder}/native was written by a redis-server found on PATH, which is not there any more: ` +
      `install it again, or move that folder away to start empty`,
  );
}

/** The server's password, made once, in a 0600 file. */
function loadPassword(file: string): string {
  if (existsSync(file)) {
    const password = readFileSync(file, 'utf8').trim();
    if (/^[\w-]{20,}$/.test(password)) return password;
  }
  const fresh = randomBytes(24).toString('base64url'); // needs no escaping in a URL
  writeFileSync(`${file}.new`, fresh, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return fresh;
}
