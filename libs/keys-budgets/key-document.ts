import { NO_LIMITS, type BudgetConfig, type LimitsConfig } from '#libs/platform/config.js';
import type { DocumentBody, RegistryDocument } from '#libs/registry/index.js';

/** Why a key does not work for now. */
export interface KeyBlock {
  readonly atMs: number;
  readonly reason: string | null;
}

/** The secret before the last rotation, good for a while longer. */
export interface PreviousSecret {
  readonly publicId: string;
  readonly digest: string;
  readonly untilMs: number;
}

/** Who made a key. */
export interface KeyCreator {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

/** What the registry keeps of a virtual key. The secret itself is nowhere. */
export interface KeyBody extends DocumentBody {
  readonly publicId: string;
  /** `digestOf` the whole key. */
  readonly digest: string;
  /** Name of the team, as user and app: who owns the key. */
  readonly team: string | null;
  readonly user: string | null;
  readonly app: string | null;
  readonly models: readonly string[];
  readonly routes: readonly string[];
  readonly tags: readonly string[];
  readonly budgets: readonly BudgetConfig[];
  readonly limits: LimitsConfig;
  readonly expiresAtMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Fallback chain behind the models it asks for. */
  readonly chain: string | null;
  readonly blocked: KeyBlock | null;
  readonly previous: PreviousSecret | null;
  readonly rotatedAtMs: number | null;
  readonly createdBy: KeyCreator | null;
  readonly revokedAtMs: number | null;
}

/** What a key has unless something else is said; also what documents of earlier versions lack. */
export const KEY_DEFAULTS = {
  team: null,
  user: null,
  app: null,
  models: ['*'],
  routes: ['*'],
  tags: [],
  budgets: [],
  limits: NO_LIMITS,
  expiresAtMs: null,
  metadata: {},
  chain: null,
  blocked: null,
  previous: null,
  rotatedAtMs: null,
  createdBy: null,
  revokedAtMs: null,
} as const satisfies Omit<KeyBody, 'publicId' | 'digest'>;

/** The document's body; only this library writes documents of kind `key`. */
export function keyBody(document: RegistryDocument): KeyBody {
  return { ...KEY_DEFAULTS, ...document.body } as unknown as KeyBody;
}

/** A key as the audit log shows it. */
export function auditKey(document: RegistryDocument): unknown {
  const { digest: _digest, previous, ...shown } = keyBody(document);
  const before = previous === null ? null : { publicId: previous.publicId, untilMs: previous.untilMs };
  return { name: document.name, ...shown, previous: before };
}
