import assert from 'node:assert/strict';

/** Where the clients of a run find the gateway. */
export interface Gateway {
  readonly url: string;
  readonly key: string;
}

/** One thing a client of somebody else's does through the gateway; it throws when the outcome is not what its user expects. */
export interface Check {
  readonly client: string;
  readonly name: string;
  run(gateway: Gateway): Promise<void>;
}

export type Result = { readonly check: Check; readonly ms: number } & (
  { readonly ok: true } | { readonly ok: false; readonly why: string }
);

const CHECK_TIMEOUT_MS = 120_000;

/** Runs the checks one after another; none is skipped because another failed. */
export async function runChecks(checks: readonly Check[], gateway: Gateway): Promise<Result[]> {
  const results: Result[] = [];
  for (const check of checks) {
    const started = performance.now();
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error('no end within two minutes')), CHECK_TIMEOUT_MS).unref(),
    );
    try {
      await Promise.race([check.run(gateway), late]);
      results.push({ check, ok: true, ms: performance.now() - started });
    } catch (error) {
      results.push({ check, ok: false, why: (error as Error).message.slice(0, 800), ms: performance.now() - started });
    }
    const last = results.at(-1) as Result;
    process.stdout.write(
      `${last.ok ? 'ok    ' : 'FAILED'} ${check.client}: ${check.name}${last.ok ? '' : `\n       ${last.why}`}\n`,
    );
  }
  return results;
}

/** Asserts that a text is what the demo provider echoes. */
export function expectEcho(text: string | null | undefined, said: string): void {
  assert.equal(text?.trim(), said);
}

export const WEATHER_SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const } },
  required: ['city'],
  additionalProperties: false,
};
