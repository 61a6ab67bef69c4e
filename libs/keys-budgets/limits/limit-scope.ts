import type { LimitsConfig } from '#libs/platform/config.js';

export type LimitScopeKind = 'key' | 'user' | 'team' | 'app' | 'org' | 'model';

/** What a rate limit belongs to. Immutable: another limit is another object with the same id. */
export interface LimitScope {
  /** Unique within the organisation and stable: calls are counted under it. */
  readonly id: string;
  readonly kind: LimitScopeKind;
  /** What callers know it as. */
  readonly name: string;
  readonly limits: LimitsConfig;
}
