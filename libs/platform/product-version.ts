import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

let known: string | null = null;

/** The version in package.json. */
export function productVersion(): string {
  if (known !== null) return known;
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  known = (JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version: string }).version;
  return known;
}
