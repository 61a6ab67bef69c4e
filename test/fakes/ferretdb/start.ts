// FerretDB as the MongoDB of the archive's contract suite: built from the Go program beside this file, once, where Go is.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** A running MongoDB, or the reason why there is none. */
export type MongoPeer =
  | { readonly url: string; readonly name: string; stop(): Promise<void> }
  | { readonly url: null; readonly reason: string };

const root = process.cwd();
const source = path.join(root, 'test/fakes/ferretdb');
const OLDEST_GO = [1, 24] as const;
/** Cold it takes one or two minutes on two cores. */
const BUILD_MS = 600_000;

/** `TEST_MONGODB_URL` where it is set, else FerretDB on a temporary folder; it ends with the test process. */
export async function startMongoPeer(): Promise<MongoPeer> {
  const given = process.env['TEST_MONGODB_URL'] ?? '';
  if (given !== '') return { url: given, name: 'MongoDB at TEST_MONGODB_URL', stop: async () => {} };
  const built = build();
  if ('reason' in built) return { url: null, reason: built.reason };
  const child = spawn(built.binary, ['-stdin'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('FerretDB did not listen within 30 s')), 30_000);
    createInterface(child.stdout).once('line', (line) => {
      clearTimeout(late);
      resolve(line);
    });
    child.once('error', reject);
    void exited.then(() => reject(new Error('FerretDB ended at once')));
  });
  return {
    url,
    name: 'FerretDB',
    stop: async () => {
      child.stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(late);
    },
  };
}

/** The program, from the cache or freshly built. */
function build(): { readonly binary: string } | { readonly reason: string } {
  const version = /go(\d+)\.(\d+)/.exec(
    spawnSync('go', ['version'], { encoding: 'utf8', timeout: 30_000 }).stdout ?? '',
  );
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  if (major < OLDEST_GO[0] || (major === OLDEST_GO[0] && minor < OLDEST_GO[1])) {
    return {
      reason: `no Go ${OLDEST_GO.join('.')} or newer is installed to build FerretDB with; or set TEST_MONGODB_URL`,
    };
  }
  const sources = ['main.go', 'go.mod', 'go.sum'].map((file) => readFileSync(path.join(source, file)));
  const key = createHash('sha256')
    .update(Buffer.concat([...sources, Buffer.from(`${major}.${minor}`)]))
    .digest('hex');
  const folder = path.join(root, 'node_modules/.cache/ferretdb');
  const binary = path.join(folder, `ferretdb-${key.slice(0, 16)}`);
  if (existsSync(binary)) return { binary };
  mkdirSync(folder, { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  const run = spawnSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', fresh, '.'], {
    cwd: source,
    encoding: 'utf8',
    timeout: BUILD_MS,
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly -buildvcs=false' },
  });
  if (run.status !== 0) {
    rmSync(fresh, { force: true });
    return {
      reason: `FerretDB cannot be built: ${(run.stderr || String(run.error ?? run.signal)).trim().slice(-500)}`,
    };
  }
  renameSync(fresh, binary);
  return { binary };
}
