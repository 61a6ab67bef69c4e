import { Agent, request } from 'undici';
import { type EgressPolicy, guardedConnector } from '#libs/platform/egress.js';
import type { FetchToken, TokenQuestion } from '#libs/providers/index.js';

const CONNECT_TIMEOUT_MS = 5000;
/** For the whole exchange. */
const TOTAL_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;

/** The way to token services of clouds: under the egress rules, bounded in time and size, redirects are not followed. */
export class TokenClient {
  readonly #agent: Agent;
  readonly #totalTimeoutMs: number;

  constructor(policy: () => EgressPolicy, { totalTimeoutMs = TOTAL_TIMEOUT_MS } = {}) {
    this.#totalTimeoutMs = totalTimeoutMs;
    this.#agent = new Agent({
      connect: guardedConnector(policy, { connectTimeoutMs: CONNECT_TIMEOUT_MS }),
      headersTimeout: TOTAL_TIMEOUT_MS,
      bodyTimeout: TOTAL_TIMEOUT_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  readonly fetchToken: FetchToken = async ({ url, form }: TokenQuestion) => {
    const answer = await request(url, {
      dispatcher: this.#agent,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json, text/xml' },
      body: new URLSearchParams(form).toString(),
      signal: AbortSignal.timeout(this.#totalTimeoutMs),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  };

  async destroy(): Promise<void> {
    await this.#agent.destroy();
  }
}
