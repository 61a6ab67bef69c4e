import { fork } from 'node:child_process';
import path from 'node:path';
import { pin, PROXY_CORE } from './process-cost.js';

/** What one stage costs by itself, in µs of one core. */
export interface StagePrice {
  readonly stage: string;
  readonly micros: number;
}

const DEADLINE_MS = 300_000;

/** Runs the stages one by one in a process of their own on the proxies' core. */
export async function stagePrices(): Promise<StagePrice[]> {
  const child = fork(path.join(import.meta.dirname, 'stage-prices.js'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  pin(child.pid as number, PROXY_CORE);
  try {
    return await new Promise<StagePrice[]>((resolve, reject) => {
      setTimeout(() => reject(new Error('the stages took too long')), DEADLINE_MS).unref();
      child.once('message', (prices) => resolve(prices as StagePrice[]));
      child.once('exit', (code) => reject(new Error(`the process of the stages ended (${code})`)));
    });
  } finally {
    child.kill();
  }
}
