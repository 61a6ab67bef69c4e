import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lockFolder } from '../folder-lock.js';
import { ServerLog } from '../server-log.js';
import type { EmbeddedRedis, EmbeddedRedisOptions } from './embedded-redis.js';
import { startWasmServer } from './wasm-server.js';

export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const lock = await lockFolder(options.folder, options.lockWaitMs ?? 5000);
  const log = ServerLog.open(path.join(options.folder, 'server.log'));
  const close = (): void => {
    log.close();
    lock.release();
  };
  try {
    const password = loadPassword(path.join(options.folder, 'password'));
    const server = await startWasmServer(options, password, log);
    return { ...server, stop: () => server.stop().finally(close) };
  } catch (error) {
    close();
    throw error;
  }
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
