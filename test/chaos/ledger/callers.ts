// Load: callers that stream, leave, ask for much, and take whatever comes; statuses are counted.
import { KEYS, secretOf, type ChaosKey } from './world.js';

let nextNonce = 0;

export interface CallCounts {
  /** Status, or `gone` for a connection that broke and `left` for a caller that did. */
  readonly [outcome: string]: number;
}

export class Callers {
  readonly #urls: readonly string[];
  readonly #counts = new Map<string, number>();
  readonly #running: Promise<void>[] = [];
  /** Budgets that refused a call: `key:<name>`, `team:<name>`. */
  readonly exhausted = new Set<string>();
  #isOn = true;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  start(callers: number): void {
    for (let n = 0; n < callers; n++) this.#running.push(this.#keepCalling());
  }

  async stop(): Promise<CallCounts> {
    this.#isOn = false;
    await Promise.all(this.#running);
    return Object.fromEntries(this.#counts);
  }

  async #keepCalling(): Promise<void> {
    while (this.#isOn) {
      const key = KEYS[Math.floor(Math.random() * KEYS.length)] as ChaosKey;
      const outcome = await this.#call(key);
      this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
      await new Promise((resolve) =>
        setTimeout(resolve, outcome === '200' ? Math.random() * 20 : 50 + Math.random() * 100),
      );
    }
  }

  async #call(key: ChaosKey): Promise<string> {
    const url = this.#urls[Math.floor(Math.random() * this.#urls.length)] as string;
    const leaves = Math.random() < 0.05;
    const body = {
      model: 'local/paid',
      messages: [{ role: 'user', content: `${key.name} nonce-${nextNonce++} ${'x'.repeat(Math.random() * 200)}` }],
      max_tokens: 10 + Math.floor(Math.random() * 400),
      ...(Math.random() < 0.3 ? { stream: true } : {}),
    };
    try {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secretOf(key)}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(leaves ? Math.ceil(Math.random() * 60) : 40_000),
      });
      await response.arrayBuffer();
      if (response.status === 429) {
        this.exhausted.add(
          response.headers.get('x-smartflow-budget-scope') === 'team' ? `team:${key.team}` : `key:${key.name}`,
        );
      }
      return String(response.status);
    } catch {
      return leaves ? 'left' : 'gone';
    }
  }
}
