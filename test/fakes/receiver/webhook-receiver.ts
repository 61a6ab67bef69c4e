// A receiver of webhooks on this machine: takes messages as they come over the wire and answers what it is told to.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A message as it came. */
export interface ReceivedMessage {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
}

/** What becomes of a message: a status, with headers when there is more to say; `hang`: no answer; `reset`: none, and no goodbye. */
export type ReceiverAnswer =
  number | 'hang' | 'reset' | { readonly status: number; readonly headers: Readonly<Record<string, string>> };

export interface WebhookReceiver {
  /** Without a slash at the end. */
  readonly url: string;
  /** In the order of their arrival; the newest 10,000. */
  readonly messages: readonly ReceivedMessage[];
  /** Answers of a path from now on, one after the other; the last one stays. Default: 204. */
  answer(path: string, ...answers: ReceiverAnswer[]): void;
  /** The most messages that were open on one path at the same time. */
  mostAtOnce(path: string): number;
  stop(): Promise<void>;
}

const MOST_KEPT = 10_000;
const MOST_BYTES = 1024 * 1024;

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const messages: ReceivedMessage[] = [];
  const answers = new Map<string, ReceiverAnswer[]>();
  const open = new Map<string, number>();
  const most = new Map<string, number>();
  const server = createServer((request, reply) => {
    const path = request.url ?? '';
    const now = (open.get(path) ?? 0) + 1;
    open.set(path, now);
    most.set(path, Math.max(most.get(path) ?? 0, now));
    reply.once('close', () => open.set(path, (open.get(path) ?? 1) - 1));
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
      if (body.length > MOST_BYTES) request.destroy();
    });
    request.on('error', () => {});
    request.on('end', () => {
      messages.push({ path, headers: request.headers, body, atMs: Date.now() });
      if (messages.length > MOST_KEPT) messages.shift();
      const queue = answers.get(path) ?? [204];
      const next = (queue.length > 1 ? queue.shift() : queue[0]) as ReceiverAnswer;
      if (next === 'hang') return;
      if (next === 'reset') return void request.socket.resetAndDestroy();
      if (typeof next === 'number') return void reply.writeHead(next).end();
      reply.writeHead(next.status, next.headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    answer: (path, ...list) => void answers.set(path, list),
    mostAtOnce: (path) => most.get(path) ?? 0,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
