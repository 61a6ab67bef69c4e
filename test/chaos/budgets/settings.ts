// What the parts of the proof agree on, and the random worlds it plays in.
import type { BudgetMode } from '#libs/keys-budgets/index.js';

export const USD = 1e9;

/** A budget of the proof: its periods last seconds; 0 = for life. */
export interface ChaosBudget {
  readonly id: string;
  readonly limitNanos: number;
  readonly mode: BudgetMode;
  readonly periodMs: number;
}

/** A key: its organisation and the budgets of its calls. */
export interface ChaosKey {
  readonly orgId: string;
  readonly budgets: readonly ChaosBudget[];
}

/** Settings of one gateway process. */
export interface GatewaySettings {
  readonly processId: string;
  readonly spoolRoot: string;
  readonly redisUrl: string;
  readonly postgresUrl: string;
  readonly upstreamPort: number;
  readonly keys: readonly ChaosKey[];
  readonly startedMs: number;
  readonly callers: number;
  readonly mostNanos: number;
  readonly skewMs: number;
  readonly ttlMs: number;
  readonly isLeased: boolean;
  readonly thinkMs: number;
}

/** Settings of one worker process. */
export interface WorkerSettings {
  readonly redisUrl: string;
  readonly postgresUrl: string;
  readonly ttlMs: number;
  readonly lostAfterMs: number;
  readonly spoolRoot: string;
  /** Also book from the mirror while a spool that nobody has read is there, where the cap is not proven. */
  readonly doubleFailure: boolean;
}

/** `number`: the answer carries it, too. */
export type Command = { readonly number?: number } & (
  | { readonly cmd: 'stop'; readonly atMs: number }
  | { readonly cmd: 'calls' }
  | { readonly cmd: 'probe'; readonly key: ChaosKey; readonly spent: Readonly<Record<string, number>> }
  | { readonly cmd: 'end' }
);

/** `org field`, unique over all organisations. */
export const nameOf = (orgId: string, field: string): string => `${orgId} ${field}`;

/** Random numbers that a seed repeats (mulberry32). */
export function randomOf(seed: number): (below?: number) => number {
  let state = seed * 7919 + 17;
  return (below = 1) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 4294967296) * below;
  };
}

export interface World {
  readonly orgIds: readonly string[];
  readonly keys: readonly ChaosKey[];
  /** `org budget` → budget. */
  readonly budgets: ReadonlyMap<string, ChaosBudget>;
  readonly mostNanos: number;
}

/** Two organisations; six nested budgets per key, from one cent to ten dollars, some for life, most with short periods. */
export function makeWorld(seed: number, random: (below?: number) => number, isStrict: boolean): World {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random(list.length))] as T;
  const usd = (low: number, high: number): number => Math.round(USD * low * (high / low) ** random());
  const mode = (): BudgetMode => (isStrict ? 'strict' : pick(['clamp', 'clamp', 'strict'] as const));
  const make = (id: string, low: number, high: number, lifeShare = 0.15): ChaosBudget => ({
    id,
    limitNanos: usd(low, high),
    mode: mode(),
    periodMs: random() < lifeShare ? 0 : Math.round(4000 + random(8000)),
  });
  const orgIds = [`o${seed}a`, `o${seed}b`];
  const keys = orgIds.flatMap((orgId) => {
    const org = { ...make('org', 5, 10, 0), limitNanos: 10 * USD };
    const teams = [1, 2, 3].map((n) => make(`team${n}`, 0.5, 6));
    const apps = [1, 2].map((n) => make(`app${n}`, 1, 8));
    const tags = [make('tag1', 0.3, 8), { ...make('tag2', 0.1, 1), mode: 'soft' as const }];
    const users = [1, 2, 3].map((n) => make(`user${n}`, 0.05, 4));
    return Array.from({ length: 6 }, (_, n) => ({
      orgId,
      budgets: [
        make(`key${n}`, 0.01, 3),
        users[n % 3],
        teams[n % 3],
        apps[n % 2],
        org,
        tags[n % 5 === 0 ? 1 : 0],
      ] as ChaosBudget[],
    }));
  });
  const budgets = new Map(
    keys.flatMap((key) => key.budgets.map((budget) => [`${key.orgId} ${budget.id}`, budget] as const)),
  );
  return { orgIds, keys, budgets, mostNanos: Math.round(USD * pick([0.002, 0.006, 0.02])) };
}

/** The cap of `org field`; Infinity for soft budgets. */
export function limitOf(world: World, name: string): number {
  const budget = world.budgets.get(name.slice(0, name.indexOf('|')));
  if (budget === undefined) throw new Error(`no budget ${name}`);
  return budget.mode === 'soft' ? Infinity : budget.limitNanos;
}
