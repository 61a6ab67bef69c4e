import { Agent } from 'undici';
import { counter } from '../metrics.js';
import { guardedConnector, type LookupAll } from './connector.js';
import type { EgressPolicy } from './policy.js';
import { EgressRefused } from './refused.js';

/** One message to the outside. */
export interface EgressRequest {
  /** http or https. */
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For everything: name, connection, answer. */
  readonly timeoutMs: number;
  /** A longer answer is cut. */
  readonly maxAnswerBytes: number;
}

export interface EgressAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface EgressClientOptions {
  /** What the requests are for: a label of `smartflow_egress_requests_total`. */
  readonly purpose: string;
  /** Read at each request, as each has a connection of its own. */
  readonly policy: () => EgressPolicy;
  readonly connectTimeoutMs?: number;
  /** Replaces the system's resolver; for tests. */
  readonly lookup?: LookupAll;
}

const requests = counter('smartflow_egress_requests_total', 'Requests to the outside beside model calls', [
  'purpose',
  'outcome',
]);

/**
 * HTTP to addresses that people give us (webhooks and the like). Connects only where the policy allows, follows no
 * redirect, keeps no connection, and bounds time and size of the answer.
 */
export class EgressClient {
  readonly #agent: Agent;
  readonly #purpose: string;

  constructor({ purpose, policy, connectTimeoutMs = 5000, lookup }: EgressClientOptions) {
    this.#purpose = purpose;
    const connect = guardedConnector(policy, { connectTimeoutMs, ...(lookup === undefined ? {} : { lookup }) });
    this.#agent = new Agent({ connect, pipelining: 0, maxHeaderSize: 16 * 1024 });
  }

  /** Rejects with `EgressRefused`, or with what undici reports; an answer of any status resolves. */
  async send(request: EgressRequest): Promise<EgressAnswer> {
    try {
      const answer = await this.#send(request);
      requests.inc({ purpose: this.#purpose, outcome: `${Math.floor(answer.status / 100)}xx` });
      return answer;
    } catch (error) {
      requests.inc({ purpose: this.#purpose, outcome: error instanceof EgressRefused ? 'refused' : 'failed' });
      throw error;
    }
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send({ url, method, headers, body, timeoutMs, maxAnswerBytes }: EgressRequest): Promise<EgressAnswer> {
    if (!/^https?:$/.test(url.protocol)) throw new Error(`${url.protocol} is not http`);
    const {
      statusCode,
      headers: answered,
      body: stream,
    } = await this.#agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, connection: 'close' },
      body: body ?? null,
      signal: AbortSignal.timeout(timeoutMs),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const parts: Buffer[] = [];
    let room = maxAnswerBytes;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      parts.push(chunk.subarray(0, room));
      room -= chunk.length;
      if (room <= 0) break; // leaving the loop destroys the stream
    }
    return { status: statusCode, headers: answered, body: Buffer.concat(parts) };
  }
}
