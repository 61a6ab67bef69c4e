import type { Findings, Path } from './findings.js';
import { field, listOf } from './untyped.js';

/** Sections that are understood as a whole but not acted upon. */
const SECTIONS: Readonly<Record<string, string>> = {
  cache: 'the cache is not part of this version',
  servers: 'MCP servers are not served by this version',
  roles: 'MCP roles are not enforced by this version',
  api_keys: 'MCP keys (api_keys) are not accepted by this version',
};

/** Fields of keys that are understood but not acted upon. */
const FIELDS: Readonly<Record<string, string>> = {
  cache: 'the cache is not part of this version',
};

/** Warns of every setting that is accepted, so that files can be written ahead, but has no effect in this version. */
export function noteWithoutEffect(file: unknown, findings: Findings): void {
  for (const [section, sentence] of Object.entries(SECTIONS)) {
    if (field(file, section) !== undefined) findings.warning([section], sentence);
  }
  for (const [index, key] of listOf(file, 'keys').entries()) noteFields(key, ['keys', index], findings);
}

function noteFields(owner: unknown, path: Path, findings: Findings): void {
  for (const [name, sentence] of Object.entries(FIELDS)) {
    if (field(owner, name) !== undefined) findings.warning([...path, name], sentence);
  }
}
