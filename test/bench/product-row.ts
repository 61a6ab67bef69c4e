import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { recordedChildren, startProduct } from '../e2e/harness.js';
import { processesNaming } from '../e2e/processes.js';
import { BENCH_MODEL, CHAIN_MODEL, CLAUDE_MODEL } from './payloads.js';
import { pin, PROXY_CORE } from './process-cost.js';
import type { RowName, RowStarter } from './rows.js';

const HOUR_MS = 3_600_000;

export interface ProductRowOptions {
  readonly archive: boolean;
  /** Streams may stay silent for as long as the bench takes; otherwise the product's own time limits hold. */
  readonly silentStreams: boolean;
  /** What the key of the row is charged to; large enough never to end. Default: nothing. */
  readonly budgets?: 'one' | 'six' | 'six strict';
}

const PRICE = { input: 1.25, output: 10, cached_input: 0.125 };

/** The price makes each call go through the whole of pricing. */
function config(
  upstreamPort: number,
  { archive, silentStreams, budgets }: ProductRowOptions,
): Readonly<Record<string, unknown>> {
  return {
    ...(budgets === undefined ? {} : payers(budgets)),
    egress: { allow: ['127.0.0.0/8'] },
    archive: { bodies: archive },
    log: { level: 'warn' },
    providers: {
      'bench-claude': {
        type: 'anthropic',
        base_url: `http://127.0.0.1:${upstreamPort}`,
        api_key: 'sk-bench-claude-key',
      },
      bench: {
        type: 'openai-compatible',
        base_url: `http://127.0.0.1:${upstreamPort}/v1`,
        api_key: 'sk-bench-upstream-key',
        ...(silentStreams ? { timeouts: { idle_ms: HOUR_MS, total_ms: HOUR_MS } } : {}),
      },
    },
    models: {
      [BENCH_MODEL]: { target: `bench/${BENCH_MODEL}` },
      [CHAIN_MODEL]: { target: `bench/${BENCH_MODEL}`, chain: 'second' },
    },
    fallback_chains: { second: { steps: [{ targets: [{ model: 'bench/second' }] }] } },
    prices: { [`bench/${BENCH_MODEL}`]: PRICE, [CLAUDE_MODEL]: PRICE },
  };
}

const BUDGET_KEY = `bench-${'1'.repeat(40)}`;

/** The key of a row with budgets, and who else pays for it. */
function payers(budgets: NonNullable<ProductRowOptions['budgets']>): Readonly<Record<string, unknown>> {
  const own = [{ limit_usd: 9_000_000, period: 'monthly', mode: budgets === 'six strict' ? 'strict' : 'clamp' }];
  if (budgets === 'one') return { keys: [{ name: 'bench', key: BUDGET_KEY, budgets: own }] };
  return {
    org: { budgets: own },
    teams: { bench: { budgets: own } },
    users: { bench: { budgets: own } },
    apps: { bench: { budgets: own } },
    tags: { bench: { budgets: own } },
    keys: [
      { name: 'bench', key: BUDGET_KEY, team: 'bench', user: 'bench', app: 'bench', tags: ['bench'], budgets: own },
    ],
  };
}

/** The worker and PostgreSQL drain the ledger with what is left of the load core, so that the load stays the faster one. */
function makeNice(pid: number): void {
  try {
    os.setPriority(pid, 15);
  } catch {
    // PostgreSQL runs under another account when the bench is not root's: then it stays as it is
  }
}

/**
 * The whole product as a user starts it (supervisor, stores, gateway, worker): key check, usage events to its Redis stream,
 * drained into PostgreSQL. Only the gateway process stands on the proxies' core, and only its time is counted.
 */
export function productRow(name: RowName, options: ProductRowOptions): RowStarter {
  return {
    name,
    async start(upstreamPort) {
      const product = await startProduct({
        config: config(upstreamPort, options),
        env: { NODE_OPTIONS: '--inspect-port=0' },
      });
      const { gateway, worker } = await recordedChildren(product.dataDir);
      pin(gateway, PROXY_CORE);
      makeNice(worker);
      const redis = redisOf(product.pid);
      for (const { pid, command } of processesNaming(product.dataDir))
        if (command.includes('postgres')) makeNiceTree(pid);
      return {
        name,
        port: Number(new URL(product.url).port),
        key: options.budgets === undefined ? product.key : BUDGET_KEY,
        pid: gateway,
        redisPid: redis,
        hold: (held) => void process.kill(worker, held ? 'SIGSTOP' : 'SIGCONT'),
        output: () => product.logs(),
        stop: async () => void (await product.stop()),
      };
    },
  };
}

/** The server on PATH or the bundled one, whichever the product took. */
function redisOf(supervisor: number): number | null {
  try {
    const found = execFileSync('pgrep', ['-P', String(supervisor), '-f', 'redis-server|valkey|host-main']);
    return Number(found.toString().split('\n')[0]) || null;
  } catch {
    return null; // none is embedded, or there is no pgrep
  }
}

/** The postmaster and its backends; those made later inherit it. */
function makeNiceTree(pid: number): void {
  makeNice(pid);
  let children = '';
  try {
    children = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  } catch {
    return; // no children, or no pgrep
  }
  for (const child of children.split('\n').filter((line) => line !== '')) makeNice(Number(child));
}
