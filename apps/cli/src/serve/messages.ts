// What the supervisor and its children tell each other. Settings and store URLs travel in a message and never on a command
// line or in the environment, where other accounts of the machine could read them.
import { Secret } from '#libs/platform/secret.js';
import type { SmartflowConfig } from '#libs/platform/config.js';
import type { StoreUrls } from '#libs/stores/index.js';

export type ChildName = 'gateway' | 'worker';

/** Everything a child needs to begin. */
export interface Boot {
  readonly config: SmartflowConfig;
  readonly urls: StoreUrls;
}

/** Supervisor → child. `boot` comes once, `config` when the file has changed, `stop` at the end. */
export type ToChild = { readonly type: 'boot'; readonly boot: unknown } | { readonly type: 'stop' };

/** Child → supervisor. After `failed` the child ends by itself. */
export type FromChild =
  | { readonly type: 'ready'; readonly url: string | null }
  | { readonly type: 'failed'; readonly code: string | null; readonly message: string };

const MARK = '$smartflowSecret';
const MAP = '$smartflowMap';

/** A copy whose `Secret`s and maps are marked plain objects, fit for the channel between processes of one account. */
export function pack(value: unknown): unknown {
  if (value instanceof Secret) return { [MARK]: value.reveal() };
  if (Array.isArray(value)) return value.map(pack);
  if (value instanceof Map) return { [MAP]: pack([...value]) };
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, pack(inner)]));
}

/** The opposite of {@link pack}. */
export function unpack(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpack);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === MARK && typeof only[1] === 'string') return new Secret(only[1]);
  if (entries.length === 1 && only?.[0] === MAP && Array.isArray(only[1])) {
    return new Map(unpack(only[1]) as [unknown, unknown][]);
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, unpack(inner)]));
}
