import path from 'node:path';
import type { Secret } from '#libs/platform/secret.js';
import { lockFolder } from '../folder-lock.js';
import { ServerLog } from '../server-log.js';
import { chooseBinaries, type PostgresBinaries } from './binaries.js';
import { createCluster, dataMajor, ensureRoles } from './cluster.js';
import { DATABASE, loadCredentials, urlOf } from './credentials.js';
import { placeServer, type Placement } from './placement.js';
import { adopt, start, stop, type Postmaster } from './postmaster.js';

export interface EmbeddedPostgresOptions {
  /** Own folder of the server (made when missing). */
  readonly folder: string;
  /** `bundled`: never a server found on PATH. */
  readonly wanted: 'embedded' | 'bundled';
  /** Listen here instead of on a free port; a restarted server keeps its URL. */
  readonly port?: number;
  /** Server settings besides the built-in ones. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Flush what initdb wrote (default). Tests do without. */
  readonly durable?: boolean;
  /** Longest wait for another process to let go of the folder; default 5 s. */
  readonly lockWaitMs?: number;
  /** Search path instead of PATH. */
  readonly searchPath?: string;
  readonly onProgress?: (message: string) => void;
}

export interface EmbeddedPostgres {
  /** One line for people: version, origin, where the data lies. */
  readonly description: string;
  readonly how: 'started' | 'adopted';
  readonly pid: number;
  readonly port: number;
  /** URL of the schema's owner, of the run-time role, and of the superuser (maintenance). */
  readonly urls: { readonly owner: Secret; readonly app: Secret; admin(database: string): Secret };
  /** Resolves with the reason when the server ends, also by `stop`. */
  readonly ended: Promise<string>;
  /** Bounded (18 s at worst); the folder is free afterwards. */
  stop(): Promise<void>;
}

/**
 * Runs a private PostgreSQL on a folder: made at first start, found again later, taken over when it outlived its
 * starter. The folder belongs to this process until `stop()` or its end, so whoever holds it may stop the server.
 * Loopback only, SCRAM passwords from a 0600 file, no TLS, no unix socket.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const lock = await lockFolder(options.folder, options.lockWaitMs ?? 5000);
  let log: ServerLog | null = null;
  let server: Postmaster | null = null;
  try {
    const placement = placeServer(options.folder);
    const major = dataMajor(placement);
    const credentials = loadCredentials(path.join(placement.folder, 'credentials.json'), major !== null);
    log = ServerLog.open(path.join(placement.folder, 'server.log'));
    let binaries: PostgresBinaries | null = null;
    server = major === null ? null : await adopt(placement);
    if (server === null) {
      binaries = await chooseBinaries(placement, options.wanted, major, options.searchPath);
      if (major === null) {
        options.onProgress?.(`creating the PostgreSQL ${binaries.version} data in ${placement.home}`);
        await createCluster(placement, binaries, credentials, options.durable ?? true);
      }
      server = await start(placement, binaries, log, { port: options.port ?? null, settings: options.settings ?? {} });
    }
    const { port, pid, how, ended } = server;
    const adminUrl = (database: string): Secret => urlOf('admin', credentials, port, database);
    await ensureRoles(adminUrl, credentials);
    const openLog = log;
    let over = false;
    void ended.then(() => (over = true));
    return {
      description: describe(placement, binaries, major, how),
      how,
      pid,
      port,
      urls: {
        owner: urlOf('owner', credentials, port, DATABASE),
        app: urlOf('app', credentials, port, DATABASE),
        admin: adminUrl,
      },
      ended,
      stop: async () => {
        if (!over) await stop(pid);
        openLog.close();
        lock.release();
      },
    };
  } catch (error) {
    if (server !== null) await stop(server.pid);
    log?.close();
    lock.release();
    throw error;
  }
}

function describe(placement: Placement, binaries: PostgresBinaries | null, major: number | null, how: string): string {
  const version = binaries === null ? `${major}` : `${binaries.version} (${binaries.origin})`;
  const account = placement.account === null ? '' : `, as account ${placement.account.name}`;
  const adopted = how === 'adopted' ? ', taken over from an earlier start' : '';
  return `embedded PostgreSQL ${version}, data in ${placement.data}${account}${adopted}`;
}
