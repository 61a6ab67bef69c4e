import type { Clock } from '#libs/platform/clock.js';
import type { EgressClient } from '#libs/platform/egress.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import { alertBody } from './alert.js';
import { signatureHeaders } from './signature.js';
import type { AlertOutbox, ClaimedDelivery, DeliveryEnd, Subscriber } from './store/alert-outbox.js';

/** A webhook with all that sending needs. */
export interface WebhookTarget extends Subscriber {
  readonly url: string;
  readonly secret: Secret;
}

/** The webhooks there are now. */
export interface WebhookDirectory {
  targets(): Promise<readonly WebhookTarget[]>;
}

export interface AlertDelivery {
  readonly outbox: AlertOutbox;
  readonly directory: WebhookDirectory;
  readonly client: Pick<EgressClient, 'send'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long to rest when nothing is due; default 1 s. */
  readonly pollMs?: number;
  /** Pause after the first failure, tripled after each further one; default 5 s. */
  readonly firstPauseMs?: number;
}

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 4096;
/** Longer than any attempt: a claim that outlives it belonged to a dead worker. */
const LEASE_MS = 30_000;
const MOST_RUNNING = 32;
const LONGEST_PAUSE_MS = 6 * 3_600_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;
/** With the pauses above: about two days. */
const MOST_ATTEMPTS = 14;
const SWEEP_EVERY_MS = 3_600_000;

/**
 * Delivers alerts to webhooks until `signal` ends it: at least once each, in the order of their making as long as nothing
 * fails, one at a time per webhook over all workers. A webhook that fails or hangs holds up no other one. What is claimed
 * and not settled (`kill -9`) is due again after half a minute: receivers tell copies by the id.
 */
export async function deliverAlerts(parts: AlertDelivery, signal: AbortSignal): Promise<void> {
  const running = new Set<Promise<void>>();
  const bell = new Bell();
  let failing = false;
  let sweepAtMs = 0;
  while (!signal.aborted) {
    try {
      await parts.outbox.fanOut(() => parts.directory.targets());
      for (const job of await begin(parts, MOST_RUNNING - running.size, signal)) {
        const done = job
          .catch(() => {})
          .finally(() => {
            running.delete(done);
            bell.ring();
          });
        running.add(done);
      }
      if (performance.now() >= sweepAtMs) {
        await parts.outbox.sweep();
        sweepAtMs = performance.now() + SWEEP_EVERY_MS;
      }
      if (failing) parts.logger.info({}, 'alerts are delivered again');
      failing = false;
    } catch (error) {
      if (!failing) parts.logger.warn({ err: error }, 'alerts cannot be delivered, trying again until it works');
      failing = true;
    }
    await bell.wait(failing ? Math.max(1000, parts.pollMs ?? 1000) : (parts.pollMs ?? 1000), signal);
  }
  await Promise.all(running);
}

/** Wakes the loop before its time. */
class Bell {
  #rung = false;
  #wake: () => void = () => {};

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.#wake(), ms);
        this.#wake = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', this.#wake);
          resolve();
        };
        signal.addEventListener('abort', this.#wake, { once: true });
      });
    }
    this.#rung = false;
  }
}

async function begin(parts: AlertDelivery, room: number, signal: AbortSignal): Promise<Promise<void>[]> {
  if (room <= 0) return [];
  const claimed = await parts.outbox.claim(LEASE_MS, room);
  if (claimed.length === 0) return [];
  const targets = new Map((await parts.directory.targets()).map((target) => [target.id, target]));
  return claimed.map((delivery) => attempt(parts, delivery, targets.get(delivery.webhookId) ?? null, signal));
}

/** One attempt and its booking. Rejects when it cannot be booked: then the lease runs out and it is made again. */
async function attempt(
  parts: AlertDelivery,
  delivery: ClaimedDelivery,
  target: WebhookTarget | null,
  signal: AbortSignal,
): Promise<void> {
  const end: DeliveryEnd =
    target === null || target.orgId !== delivery.alert.orgId
      ? { state: 'dropped', status: null, error: 'the webhook was deleted or switched off' }
      : await send(parts, delivery, target);
  if (signal.aborted && end.state !== 'delivered') return; // cut short by the end of this worker: that says nothing
  await parts.outbox.settle(delivery, end);
  if (end.state === 'failed') {
    const { alert, webhookId } = delivery;
    parts.logger.error({ alert: alert.id, webhook: webhookId, reason: end.error }, 'an alert could not be delivered');
  }
}

async function send(parts: AlertDelivery, delivery: ClaimedDelivery, target: WebhookTarget): Promise<DeliveryEnd> {
  const body = alertBody(delivery.alert);
  try {
    const answer = await parts.client.send({
      url: new URL(target.url),
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'smartflow-webhook/1',
        'smartflow-attempt': String(delivery.attempt),
        ...signatureHeaders(target.secret, { id: delivery.alert.id, atMs: parts.clock.now(), body }),
      },
      body,
      timeoutMs: TIMEOUT_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    const { status } = answer;
    if (status >= 200 && status < 300) return { state: 'delivered', status };
    const error = `the receiver answered ${status}`;
    if (status === 410) return { state: 'failed', status, error };
    return failure(parts, delivery.attempt, { status, error, atLeastMs: retryAfterMs(answer.headers['retry-after']) });
  } catch (error) {
    return failure(parts, delivery.attempt, { status: null, error: reasonOf(error), atLeastMs: 0 });
  }
}

interface Failure {
  readonly status: number | null;
  readonly error: string;
  readonly atLeastMs: number;
}

function failure(
  { firstPauseMs = 5000 }: AlertDelivery,
  attempts: number,
  { atLeastMs, ...what }: Failure,
): DeliveryEnd {
  if (attempts >= MOST_ATTEMPTS) return { state: 'failed', ...what };
  return { state: 'retry', ...what, afterMs: Math.max(atLeastMs, pauseMs(attempts, firstPauseMs)) };
}

/** Tripled after each failure, at most six hours, give or take a fifth so that webhooks do not come all at once. */
export function pauseMs(attempts: number, firstPauseMs: number, random: number = Math.random()): number {
  const base = Math.min(LONGEST_PAUSE_MS, firstPauseMs * 3 ** (attempts - 1));
  return Math.round(base * (0.8 + 0.4 * random));
}

function retryAfterMs(header: string | string[] | undefined): number {
  const seconds = typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) : 0;
  return Math.min(LONGEST_RETRY_AFTER_MS, seconds * 1000);
}

/** For the list of deliveries: what happened, without addresses of ours. */
function reasonOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  if (code === 'EGRESS_REFUSED') return 'the address is not one that messages may be sent to (egress.allow)';
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  return `no connection${typeof code === 'string' ? ` (${code})` : ''}`;
}
