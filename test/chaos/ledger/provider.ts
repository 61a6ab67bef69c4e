// A provider that bills, and remembers the truth per call. The caller's text names key and call: `<key> nonce-<n>`.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { INPUT_NANOS, KEYS, OUTPUT_NANOS, TEAM_LIMITS_USD, USD } from './world.js';

export type Bad = (what: string, details: object) => void;

export interface Served {
  readonly key: string;
  readonly costNanos: number;
}

export class ChaosProvider {
  /** Call → what it cost, from the moment the provider worked for it. */
  readonly served = new Map<string, Served>();
  /** True cost behind each key and team so far, nano-dollars. */
  readonly spentNanos = new Map<string, number>();
  readonly #server: Server;
  readonly #bad: Bad;

  constructor(bad: Bad) {
    this.#bad = bad;
    this.#server = createServer((request, response) => {
      response.on('error', () => {});
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const asked = JSON.parse(text) as { max_tokens?: number; max_completion_tokens?: number; stream?: boolean };
    const [, key = '', nonce = ''] = /(k\d) (nonce-\d+)/.exec(text) ?? [];
    const maximum = asked.max_completion_tokens ?? asked.max_tokens ?? 1;
    const output = Math.random() < 0.1 ? maximum : Math.ceil(Math.random() * maximum);
    const input = Math.ceil(text.length * (0.2 + Math.random() / 2));
    this.#bill(key, nonce, input * INPUT_NANOS + output * OUTPUT_NANOS);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 80));
    const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, nonce };
    if (asked.stream === true) await stream(response, usage);
    else whole(response, usage);
  }

  #bill(key: string, nonce: string, costNanos: number): void {
    if (this.served.has(nonce)) this.#bad('a call was sent twice', { nonce });
    this.served.set(nonce, { key, costNanos });
    const known = KEYS.find(({ name }) => name === key);
    if (known === undefined) return this.#bad('a call of nobody', { nonce });
    const caps = [
      [key, known.limitUsd],
      [known.team, TEAM_LIMITS_USD[known.team] as number],
    ] as const;
    for (const [name, limitUsd] of caps) {
      const spent = (this.spentNanos.get(name) ?? 0) + costNanos;
      this.spentNanos.set(name, spent);
      if (spent > limitUsd * USD) this.#bad('the true cost passed a cap', { name, spent, limitUsd });
    }
  }
}

function whole(response: ServerResponse, usage: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const message = { role: 'assistant', content: 'ok' };
  const choices = [{ index: 0, finish_reason: 'stop', message }];
  response.end(JSON.stringify({ id: 'x', object: 'chat.completion', choices, usage }));
}

async function stream(response: ServerResponse, usage: object): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (choices: object[], more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  for (let n = 0; n < 4; n++) {
    response.write(chunk([{ index: 0, delta: { content: 'ok ' }, finish_reason: null }]));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.write(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
  response.end(`${chunk([], { usage })}data: [DONE]\n\n`);
}
