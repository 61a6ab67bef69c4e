import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The repository's root: jest runs there. */
export const root = process.cwd();

/** A throw-away project with this repository's configuration and packages, and with the given files. */
export interface Tree {
  readonly dir: string;
  remove(): void;
}

/**
 * Lays out `files` (path → source) below a new temporary folder, with copies of `configs` (paths in this repository) beside
 * them and (unless `link` is false) its `node_modules` linked in, so that a checking tool sees them as it sees the house itself.
 */
export function plantTree(
  files: Readonly<Record<string, string>>,
  configs: readonly string[],
  { link = true }: { readonly link?: boolean } = {},
): Tree {
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'house-rules-')));
  for (const file of configs) cpSync(path.join(root, file), path.join(dir, file), { recursive: true });
  if (link) symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'), 'junction');
  for (const [file, source] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), source);
  }
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
