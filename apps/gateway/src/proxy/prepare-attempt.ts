import { withoutForeignReasoning } from '#libs/dialects/index.js';
import type { LimitTicket } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Attempt } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import { fund } from './fund.js';
import { outgoingTo } from './outgoing.js';
import { prepareBody } from './prepare.js';
import type { Reading } from './read.js';
import type { Sending } from './send.js';
import { translatedBody, withMaximum } from './translate-body.js';
import { UpstreamAttempt } from './upstream-attempt.js';
import { surfaceOf, wayTo } from './way.js';

/** An attempt, and the call to make for it. */
export interface PreparedAttempt {
  readonly attempt: UpstreamAttempt;
  readonly sending: Sending;
}

/**
 * Writes the call of an attempt: the caller's bytes with the documented edits, or their translation.
 * @throws AppError `wrong_dialect`, or `invalid_request` naming what this target cannot be given
 */
export function prepareAttempt(
  exchange: Exchange,
  reading: Reading,
  planned: Attempt,
  ticket: LimitTicket | null,
): PreparedAttempt {
  const { target, idleMs } = planned.target;
  const way = wayTo(exchange, target);
  if (way === null) {
    throw new AppError('wrong_dialect', { text: 'The provider of this model does not offer this operation.' });
  }
  const attempt = new UpstreamAttempt(planned, way, ticket, exchange.dropped);
  fund(exchange, attempt);
  const body = bodyFor(exchange, reading, attempt);
  return {
    attempt,
    sending: {
      provider: target.provider,
      operation: way.operation,
      outgoing: outgoingTo(exchange, attempt, body),
      waits: { firstByteMs: planned.firstByteMs, idleMs },
    },
  };
}

function bodyFor(exchange: Exchange, reading: Reading, attempt: UpstreamAttempt): Buffer {
  const { target, way } = attempt;
  const translated = translatedBody(exchange, target, way);
  if (translated === null) {
    const own = prepareBody(exchange, reading, attempt);
    const { body, dropped } = withoutForeignReasoning(surfaceOf(way), own);
    attempt.leaveOut(dropped);
    return body;
  }
  attempt.translation = translated.translation;
  attempt.leaveOut(translated.translation.dropped);
  return withMaximum(translated, way, target, attempt.maxTokens);
}
