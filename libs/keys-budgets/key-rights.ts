import type { Role } from '#libs/http/index.js';
import { compileGlobs } from '#libs/platform/glob.js';
import type { Fault, KeySettings } from './key-settings.js';

/**
 * The most that somebody may give to a key; lists of globs, an empty one gives nothing. Owners by name: who may not give
 * everything (`*`) of a kind may not make a key without an owner of it either, since such a key is free of its caps.
 */
export interface KeyRights {
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly team: readonly string[];
  readonly user: readonly string[];
  readonly app: readonly string[];
}

const EVERYTHING: KeyRights = { models: ['*'], routes: ['*'], team: ['*'], user: ['*'], app: ['*'] };
const NOTHING: KeyRights = { models: [], routes: [], team: [], user: [], app: [] };

/** By role: a key never has more than whoever makes or changes it (KEY-1). A role that is missing here gives nothing. */
const BY_ROLE: Readonly<Record<Role, KeyRights>> = { proxy_admin: EVERYTHING, proxy_admin_viewer: NOTHING };

export function rightsOf(role: Role): KeyRights {
  return Object.hasOwn(BY_ROLE, role) ? BY_ROLE[role] : NOTHING;
}

/**
 * Whether everything that `inner` allows is allowed by `outer` too. A glob is covered when it fits as a text: its own `*` is
 * then met by a `*` of the other, never by a character. May say no to a cover that takes several globs together.
 */
export function covers(outer: readonly string[], inner: readonly string[]): boolean {
  const fits = compileGlobs(outer);
  return inner.every((pattern) => fits(pattern));
}

/** What of the settings goes beyond the rights, with the field that does. Absent settings are not looked at. */
export function faultsOfRights(rights: KeyRights, settings: Partial<KeySettings>): readonly Fault[] {
  const faults: Fault[] = [];
  for (const field of ['models', 'routes'] as const) {
    for (const [index, pattern] of (settings[field] ?? []).entries()) {
      if (!covers(rights[field], [pattern])) {
        faults.push({ path: `${field}[${index}]`, message: 'goes beyond what your own role may give' });
      }
    }
  }
  for (const kind of ['team', 'user', 'app'] as const) {
    const name = settings[kind];
    if (name !== undefined && !covers(rights[kind], [name ?? '*'])) {
      faults.push({ path: kind, message: 'is not an owner that your own role may give keys of' });
    }
  }
  // Who may use a chain may be served by each of its targets.
  const { chain = null } = settings;
  if (chain !== null && !covers(rights.models, [chain])) {
    faults.push({ path: 'chain', message: 'goes beyond what your own role may give' });
  }
  return faults;
}
