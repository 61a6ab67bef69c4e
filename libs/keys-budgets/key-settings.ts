import type { BudgetConfig, LimitsConfig } from '#libs/platform/config.js';

/** What an admin sets of a key. */
export interface KeySettings {
  readonly name: string;
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
  /** Name of the fallback chain behind the models it asks for. */
  readonly chain: string | null;
}

/** A fault of a request, by the path of its field. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}
