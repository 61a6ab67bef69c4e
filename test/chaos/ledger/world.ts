// Keys, teams and their caps, small enough that some are spent during the proof.
export const USD = 1e9;
const SECRET = 'of-chaos-0123456789abcdef';

export interface ChaosKey {
  readonly name: string;
  readonly team: string;
  readonly limitUsd: number;
  readonly mode: 'clamp' | 'strict';
}

/** Two teams of four keys, from ten cents to a hundred dollars. */
export const KEYS: readonly ChaosKey[] = [0.1, 0.5, 2, 100, 0.2, 1, 5, 100].map((limitUsd, n) => ({
  name: `k${n}`,
  team: n < 4 ? 'red' : 'blue',
  limitUsd,
  mode: n % 2 === 0 ? 'clamp' : 'strict',
}));
export const TEAM_LIMITS_USD: Readonly<Record<string, number>> = { red: 3, blue: 60 };

/** USD per million tokens of the model `local/paid`. */
export const PRICE = { input: 1, output: 10 };
export const INPUT_NANOS = 1000;
export const OUTPUT_NANOS = 10_000;

export const secretOf = (key: ChaosKey): string => `key-${key.name}-${SECRET}`;

const lifetime = (limitUsd: number, mode: string): object => ({ limit_usd: limitUsd, period: 'lifetime', mode });

/** The product's configuration. */
export function configOf(providerOrigin: string): object {
  return {
    egress: { allow: ['127.0.0.0/8'] },
    log: { level: 'warn' },
    limits: { drain_ms: 2000 },
    providers: { local: { type: 'openai-compatible', base_url: `${providerOrigin}/v1`, api_key: 'sk-upstream-chaos' } },
    prices: { 'local/paid': PRICE },
    teams: Object.fromEntries(
      Object.entries(TEAM_LIMITS_USD).map(([name, usd]) => [name, { budgets: [lifetime(usd, 'clamp')] }]),
    ),
    keys: KEYS.map((key) => ({
      name: key.name,
      key: secretOf(key),
      team: key.team,
      budgets: [lifetime(key.limitUsd, key.mode)],
    })),
  };
}

/** The cap of a budget's field (`key:key_file_k0:lifetime|…`) in nano-dollars. */
export function limitNanosOf(field: string): number {
  const key = KEYS.find(({ name }) => field.startsWith(`key:key_file_${name}:`));
  if (key !== undefined) return key.limitUsd * USD;
  const team = Object.keys(TEAM_LIMITS_USD).find((name) => field.startsWith('team:') && field.includes(name));
  if (team !== undefined) return (TEAM_LIMITS_USD[team] as number) * USD;
  throw new Error(`no budget ${field}`);
}
