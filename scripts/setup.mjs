// Makes a clone ready to run: installs what is missing or outdated, builds when sources changed. Cheap when there is nothing
// to do, safe when several start at once. Without dependencies and for Node 18 and later: on a fresh clone nothing else is there.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode } from './node-binary.mjs';
import { takeLock } from './setup-lock.mjs';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
const work = at('.setup'); // the lock, and npm's cache where the home cannot hold it
const SOURCES = ['apps', 'libs', 'test'];
const BUILD_INPUTS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/setup.mjs'];

// Progress goes to standard error: what a command prints on standard output stays its own.
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * Installs and builds where needed. `build`: 'stale' (default), 'always' or 'never'.
 * Rejects with an Error whose message is meant for the user.
 */
export async function prepare({ build = 'stale' } = {}) {
  const needsBuild = () => build === 'always' || (build === 'stale' && buildIsStale());
  if (isInstalled() && !needsBuild()) return;
  const lock = await takeLock(path.join(work, 'lock'), (pid) =>
    say(`Waiting for another set-up of this folder (process ${pid}) …`),
  );
  const stopOn = endToolOnSignal(lock);
  try {
    if (!isInstalled()) await install(lock);
    if (needsBuild()) await buildAll(lock);
  } finally {
    stopOn();
    lock.release();
  }
}

/**
 * A signal during the set-up ends the tool at work, then this script; a second run starts over. npm first finishes or takes
 * back what it is at: it gets 3 s, and the lock is kept until it has ended.
 */
let tool = null;
function endToolOnSignal(lock) {
  let ending = false;
  const end = (signal) => {
    if (ending) return;
    ending = true;
    const leave = () => {
      lock.release();
      process.exit(128 + os.constants.signals[signal]);
    };
    if (tool === null) return leave();
    tool.once('exit', leave);
    tool.kill('SIGTERM');
    setTimeout(() => tool?.kill('SIGKILL'), 3_000);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, end);
  return () => signals.forEach((signal) => process.off(signal, end));
}

/** Runs a tool with its output on standard error and a sign of life every 15 s; rejects when it fails. */
async function run(lock, what, command, args, options = {}) {
  const startedMs = Date.now();
  tool = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (tool.pid !== undefined) lock.setTool(tool.pid);
  const alive = setInterval(() => say(`  … ${what}, ${Math.round((Date.now() - startedMs) / 1000)} s so far`), 15_000);
  try {
    await new Promise((resolve, reject) => {
      tool.once('error', (error) => reject(new Error(`${what} failed: ${error.message}`)));
      tool.once('exit', (code, signal) =>
        code === 0 ? resolve() : reject(new Error(`${what} failed (${signal ?? `exit ${code}`})`)),
      );
    });
  } finally {
    clearInterval(alive);
    tool = null;
    lock.setTool(null);
  }
  say(`  done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
}

// ---- installation ----

const stampFile = at('node_modules', '.smartflow-installed');
const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
};

/** Do node_modules and package-lock.json agree? A stamp says so at once; without one npm's own record is compared. */
function isInstalled() {
  const lockText = read(at('package-lock.json'));
  if (lockText === null) return true; // installed as a package: whoever installed it did it all
  const wanted = createHash('sha256').update(`${process.platform}-${process.arch}\n`).update(lockText).digest('hex');
  if (read(stampFile) === wanted) return true;
  if (!npmInstalledThis(JSON.parse(lockText))) return false;
  try {
    writeFileSync(stampFile, wanted);
  } catch {
    // a read-only node_modules is compared at every start
  }
  return true;
}

/** npm writes node_modules/.package-lock.json as its last step. */
function npmInstalledThis(lock) {
  const text = read(at('node_modules', '.package-lock.json'));
  if (text === null) return false;
  const there = JSON.parse(text).packages ?? {};
  return Object.entries(lock.packages).every(
    ([name, entry]) =>
      name === '' || entry.optional === true || entry.devOptional === true || there[name]?.version === entry.version,
  );
}

async function install(lock) {
  say('Installing dependencies (first start: about 400 MB, half a minute or more) …');
  const npmCli = process.env.npm_execpath;
  const args = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ];
  const env = { ...process.env };
  const ownCache = path.join(work, 'npm-cache');
  if (!cacheIsWritable(env)) env.npm_config_cache = ownCache;
  const viaNode = npmCli !== undefined && /npm-cli\.c?js$/.test(npmCli) && existsSync(npmCli);
  // npm ci removes node_modules first, and with it a bundled Node that may be running this: npm runs on its own Node.
  const npmNode = process.env.npm_node_execpath ?? process.execPath;
  const windows = process.platform === 'win32';
  if (viaNode) await run(lock, 'installing', npmNode, [npmCli, ...args], { env });
  else await run(lock, 'installing', 'npm', args, { env, shell: windows });
  rmSync(ownCache, { recursive: true, force: true });
  if (!isInstalled()) throw new Error('npm ci ended well, yet node_modules does not match package-lock.json');
}

/** A read-only home must not fail the installation. */
function cacheIsWritable(env) {
  let folder = env.npm_config_cache || path.join(os.homedir(), '.npm');
  while (!existsSync(folder) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// ---- build ----

function filesBelow(folder, keep, found = []) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') filesBelow(file, keep, found);
    } else if (keep(entry.name)) found.push(file);
  }
  return found;
}

/** What the build is made of, in one hash. Contents, not times: a checkout touches files that did not change. */
function fingerprint() {
  const hash = createHash('sha256');
  const folders = SOURCES.map((name) => at(name)).filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) =>
    filesBelow(folder, (name) => !/\.(md|spec\.ts|e2e\.ts|contract\.ts)$/.test(name)),
  );
  for (const file of [...files.sort(), ...BUILD_INPUTS.map((name) => at(name))]) {
    hash.update(`${path.relative(root, file)}\n`).update(
      createHash('sha256')
        .update(read(file) ?? '')
        .digest(),
    );
  }
  return hash.digest('hex');
}

function buildIsStale() {
  if (!existsSync(at('tsconfig.build.json'))) return false; // an image or package: built already, no sources
  return read(at('dist', '.sources')) !== fingerprint();
}

/**
 * Builds in place: the compiler finds `#libs/…` through dist and hence must write there. With a type error it writes
 * nothing, so that the last good build stays; what an earlier build left of removed sources goes.
 */
async function buildAll(lock) {
  say('Building …');
  const sources = fingerprint();
  const compiler = at('node_modules', 'typescript7', 'bin', 'tsc');
  if (!existsSync(compiler)) throw new Error('the build needs the development dependencies: run npm ci --include=dev');
  await run(lock, 'building', findNode(root), [compiler, '-p', 'tsconfig.build.json', '--noEmitOnError', 'true']);
  removeOrphans();
  copyAssets(at('dist'));
  writeFileSync(at('dist', '.sources'), sources);
}

function removeOrphans() {
  for (const file of filesBelow(at('dist'), (name) => /\.js(\.map)?$/.test(name))) {
    const source = at(path.relative(at('dist'), file).replace(/\.js(\.map)?$/, '.ts'));
    if (!existsSync(source)) rmSync(file);
  }
}

/** What the product reads beside its code (Lua, SQL, data files): everything that is neither TypeScript nor a text for people. */
function copyAssets(target) {
  for (const name of ['apps', 'libs'].filter((folder) => existsSync(at(folder)))) {
    for (const file of filesBelow(at(name), (entry) => !/\.(ts|md)$/.test(entry))) {
      const copy = path.join(target, path.relative(root, file));
      mkdirSync(path.dirname(copy), { recursive: true });
      copyFileSync(file, copy);
    }
  }
}
