import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.dirname(path.dirname(HERE));

/** Lets a plain Node run our sources: it strips types by itself, only the names need mapping. */
const HOOKS = `
  import { registerHooks } from 'node:module';
  registerHooks({ resolve: (name, context, next) => next(
    context.parentURL?.includes('/node_modules/') ? name
      : name.startsWith('#libs/') ? ${JSON.stringify(pathToFileURL(`${ROOT}/`).href)} + name.slice(1).replace(/js$/, 'ts')
      : name.replace(/^([.].*)[.]js$/, '$1.ts'), context) });`;

/** What the other process printed when its stores were up. */
export interface Owner {
  readonly child: ChildProcess;
  readonly said: Readonly<Record<string, string>>;
  /** SIGKILL to the owner alone, as a crash of the product would be; its servers have process groups of their own. */
  killHard(): Promise<void>;
}

/** Starts stores in another process and waits until they run (or for its error). */
export async function startOwner(
  what: 'stores' | 'postgres' | 'redis',
  folder: string,
  searchPath?: string,
): Promise<Owner> {
  const args = ['--import', `data:text/javascript,${encodeURIComponent(HOOKS)}`, path.join(HERE, 'stores-owner.ts')];
  const child = spawn(process.execPath, [...args, what, folder, ...(searchPath ? [searchPath] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the owner ended with ${code} and said nothing`)));
  });
  return {
    child,
    said: JSON.parse(line) as Record<string, string>,
    killHard: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

/** A folder for one test file, with a space in its name; passable for the account that runs root's PostgreSQL. */
export function testFolder(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sf stores '));
  if (process.getuid?.() === 0) chmodSync(folder, 0o711);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
