import type { Findings, Path } from './findings.js';
import { entriesOf, field, listOf } from './untyped.js';

/** Sections that are understood as a whole but not acted upon. */
const SECTIONS: Readonly<Record<string, string>> = {
  fallback_chains: 'fallback chains are not used by this version',
  teams: 'teams have no effect in this version; the team of a key is only noted in the log',
  cache: 'the cache is not part of this version',
  servers: 'MCP servers are not served by this version',
  roles: 'MCP roles are not enforced by this version',
  api_keys: 'MCP keys (api_keys) are not accepted by this version',
};

/** Fields of keys and teams that are understood but not acted upon. */
const FIELDS: Readonly<Record<string, string>> = {
  budgets: 'budgets are not enforced by this version',
  limits: 'limits (rpm, tpm, max_parallel) of keys and teams are not enforced by this version',
  cache: 'the cache is not part of this version',
  user: 'the user and app of a key are not used by this version',
  app: 'the user and app of a key are not used by this version',
};

/** Warns of every setting that is accepted, so that files can be written ahead, but has no effect in this version. */
export function noteWithoutEffect(file: unknown, findings: Findings): void {
  for (const [section, sentence] of Object.entries(SECTIONS)) {
    if (field(file, section) !== undefined) findings.warning([section], sentence);
  }
  for (const [name, team] of entriesOf(file, 'teams')) noteFields(team, ['teams', name], findings);
  for (const [index, key] of listOf(file, 'keys').entries()) noteFields(key, ['keys', index], findings);
}

function noteFields(owner: unknown, path: Path, findings: Findings): void {
  for (const [name, sentence] of Object.entries(FIELDS)) {
    if (field(owner, name) !== undefined) findings.warning([...path, name], sentence);
  }
}
