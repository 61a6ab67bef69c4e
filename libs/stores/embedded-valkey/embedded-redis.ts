import type { Secret } from '#libs/platform/secret.js';

export interface EmbeddedRedisOptions {
  /** Own folder of the server (made when missing). */
  readonly folder: string;
  /** `bundled`: never a server found on PATH. */
  readonly wanted: 'embedded' | 'bundled';
  /** Listen here instead of on a free port; a restarted server keeps its URL. */
  readonly port?: number;
  /** Memory of the data; default 512. */
  readonly maxMemoryMb?: number;
  /** Shortest time between two snapshots of the bundled server; default 5 s. */
  readonly saveIntervalMs?: number;
  /** Longest wait for another process to let go of the folder; default 5 s. */
  readonly lockWaitMs?: number;
  /** Search path instead of PATH. */
  readonly searchPath?: string;
  /** What the operator should know: data moved aside, snapshots that fail. */
  readonly onProgress?: (message: string) => void;
}

/** A private Redis-compatible server. */
export interface EmbeddedRedis {
  /** One line for people: engine, version, how it keeps its data. */
  readonly description: string;
  /** `wasm`: bundled, loses what came after its last snapshot when killed. `native`: append-only file, at most a second. */
  readonly engine: 'wasm' | 'native';
  readonly pid: number;
  readonly port: number;
  readonly url: Secret;
  /** Resolves with the reason when the server ends, also by `stop`. */
  readonly ended: Promise<string>;
  /** Bounded; saves first. */
  stop(): Promise<void>;
}

export const DEFAULT_MAX_MEMORY_MB = 512;
