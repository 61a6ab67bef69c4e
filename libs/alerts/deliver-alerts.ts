import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '#libs/platform/clock.js';
import type { EgressClient } from '#libs/platform/egress.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import { alertBody } from './alert.js';
import { sign, SIGNATURE_HEADER } from './signature.js';
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
const LONGEST_PAUSE_MS = 6 * 3_600_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;
/** With the pauses above: about two days. */
const MOST_ATTEMPTS = 14;
const SWEEP_EVERY_MS = 3_600_000;

/**
 * Delivers alerts to webhooks until `signal` ends it: at least once each, in the order of their making as long as nothing
 * fails, one at a time per webhook. A webhook that fails is left alone for a growing while and holds up no other one. What
 * is claimed and not settled (`kill -9`) is due again after half a minute: receivers tell copies by the id.
 */
export async function deliverAlerts(parts: AlertDelivery, signal: AbortSignal): Promise<void> {
  const { outbox, directory, logger, pollMs = 1000 } = parts;
  let failing = false;
  let sweepAt = 0;
  while (!signal.aborted) {
    let busy = false;
    try {
      busy = (await outbox.fanOut(() => directory.targets())) > 0;
      const claimed = await outbox.claim(LEASE_MS);
      if (claimed.length > 0) {
        const targets = new Map((await directory.targets()).map((target) => [target.id, target]));
        await Promise.all(claimed.map((delivery) => attempt(parts, delivery, targets.get(delivery.webhookId) ?? null)));
        busy = true;
      }
      if (performance.now() >= sweepAt) {
        await outbox.sweep();
        sweepAt = performance.now() + SWEEP_EVERY_MS;
      }
      if (failing) logger.info({}, 'alerts are delivered again');
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'alerts cannot be delivered, trying again until it works');
      failing = true;
    }
    if (!busy) await sleep(pollMs, undefined, { signal }).catch(() => {});
  }
}

async function attempt(parts: AlertDelivery, delivery: ClaimedDelivery, target: WebhookTarget | null): Promise<void> {
  const end: DeliveryEnd =
    target === null || target.orgId !== delivery.alert.orgId
      ? { state: 'dropped', status: null, error: 'the webhook was deleted' }
      : await send(parts, delivery, target);
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
        'smartflow-event-id': delivery.alert.id,
        'smartflow-attempt': String(delivery.attempt),
        [SIGNATURE_HEADER]: sign(target.secret, body, parts.clock.now()),
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

function failure({ firstPauseMs = 5000 }: AlertDelivery, attempts: number, { atLeastMs, ...what }: Failure): DeliveryEnd {
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
