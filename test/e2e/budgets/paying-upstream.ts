import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Prices of the model `paid` in the product's configuration, USD per million tokens and nano-dollars per token. */
export const PRICE = { input: 1, output: 10 };
const INPUT_NANOS = 1000;
const OUTPUT_NANOS = 10_000;

interface Asked {
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
}

/**
 * A provider that bills: some of the prompt's bytes as tokens, and a random part of the answer it was allowed. It remembers
 * what it billed: the truth that the budgets are held against. Wishes in the caller's text: `wait=300` ms, `hang`, `all`
 * (an answer as long as allowed), `status=503` (an error instead of an answer), `silent` (no usage is reported), `endless=9000` (a stream of so many pieces, whatever was
 * allowed; what goes beyond is not in the bill).
 */
export class PayingUpstream {
  /** Calls that were answered, and what they cost. */
  served = 0;
  billedNanos = 0;
  running = 0;
  /** Largest answer that the last call allowed; `null`: it stated none. */
  lastMaximum: number | null = null;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.served = 0;
    this.billedNanos = 0;
    this.lastMaximum = null;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const asked = JSON.parse(text) as Asked;
    this.running += 1;
    response.on('close', () => (this.running -= 1));
    if (text.includes('hang')) return;
    await new Promise((resolve) => setTimeout(resolve, Number(/wait=(\d+)/.exec(text)?.[1] ?? 0)));
    const failure = /status=(\d+)/.exec(text)?.[1];
    if (failure !== undefined) {
      response.writeHead(Number(failure), { 'content-type': 'application/json' });
      return void response.end('{"error":{"message":"no","type":"x"}}');
    }
    const maximum = asked.max_tokens ?? asked.max_completion_tokens ?? null;
    this.lastMaximum = maximum;
    const output = text.includes('all') ? (maximum ?? 500) : Math.ceil(Math.random() * (maximum ?? 500));
    const input = Math.ceil(text.length * (0.2 + Math.random() / 2));
    this.served += 1;
    this.billedNanos += input * INPUT_NANOS + output * OUTPUT_NANOS;
    const silent = text.includes('silent');
    if ((request.url ?? '').includes('messages')) sendMessage(response, silent, input, output);
    else if (asked.stream === true)
      await sendStream(response, input, output, Number(/endless=(\d+)/.exec(text)?.[1] ?? 0));
    else sendCompletion(response, silent, input, output);
  }
}

function usage(input: number, output: number): object {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function sendCompletion(response: ServerResponse, silent: boolean, input: number, output: number): void {
  sendJson(response, {
    id: 'x',
    object: 'chat.completion',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'ok' } }],
    ...(silent ? {} : { usage: usage(input, output) }),
  });
}

function sendMessage(response: ServerResponse, silent: boolean, input: number, output: number): void {
  const content = [{ type: 'text', text: 'ok' }];
  const counted = silent ? {} : { usage: { input_tokens: input, output_tokens: output } };
  sendJson(response, { id: 'm', type: 'message', role: 'assistant', content, stop_reason: 'end_turn', ...counted });
}

async function sendStream(response: ServerResponse, input: number, output: number, more: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (choices: object[], more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  response.write(chunk([{ index: 0, delta: { role: 'assistant', content: 'ok' }, finish_reason: null }]));
  for (let sent = 0; sent < more && !response.destroyed; sent += 100) {
    response.write(chunk([{ index: 0, delta: { content: ' more' }, finish_reason: null }]).repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  response.write(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
  response.write(chunk([], { usage: usage(input, output) }));
  response.end('data: [DONE]\n\n');
}
