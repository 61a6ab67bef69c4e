import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder that holds package.json and dist. */
export function productFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** The version in package.json. */
export function productVersion(): string {
  return (JSON.parse(readFileSync(path.join(productFolder(), 'package.json'), 'utf8')) as { version: string }).version;
}
