import { checkBudgets } from './check-owners.js';
import type { Findings, Path } from './findings.js';
import { field, listOf, textOf } from './untyped.js';

/** Keys declared in the file may be any text of 20 to 256 visible ASCII characters. */
const SECRET = /^[\x21-\x7e]{20,256}$/;

/** Everything about keys that the schema cannot see. */
export function checkKeys(file: unknown, nowMs: number, findings: Findings): void {
  for (const section of ['keys', 'api_keys']) checkUnique(file, section, findings);
  for (const [index, key] of listOf(file, 'keys').entries()) {
    const path: Path = ['keys', index];
    const secret = textOf(key, 'key') ?? '';
    if (secret !== '' && !SECRET.test(secret)) {
      findings.fault([...path, 'key'], 'must have 20 to 256 visible ASCII characters, without blanks');
    }
    for (const list of ['models', 'routes']) {
      if (Array.isArray(field(key, list)) && listOf(key, list).length === 0) {
        findings.fault([...path, list], 'is an empty list: leave it out to allow all, or name some');
      }
    }
    const expiresAt = textOf(key, 'expires_at');
    if (expiresAt !== undefined && Date.parse(expiresAt) <= nowMs) {
      findings.warning([...path, 'expires_at'], `key "${textOf(key, 'name') ?? ''}" has expired`);
    }
    checkBudgets(key, path, findings);
  }
}

function checkUnique(file: unknown, section: string, findings: Findings): void {
  const names = new Map<string, number>();
  const secrets = new Map<string, number>();
  for (const [index, key] of listOf(file, section).entries()) {
    const name = textOf(key, 'name');
    const secret = textOf(key, 'key');
    if (name !== undefined) {
      const first = names.get(name);
      if (first === undefined) names.set(name, index);
      else findings.fault([section, index, 'name'], `has the same name as ${section}[${first}]`);
    }
    if (secret !== undefined && secret !== '') {
      const first = secrets.get(secret);
      if (first === undefined) secrets.set(secret, index);
      else findings.fault([section, index, 'key'], `has the same secret as ${section}[${first}]`);
    }
  }
}
