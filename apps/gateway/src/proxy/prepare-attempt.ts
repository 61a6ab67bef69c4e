import { withoutForeignReasoning, type Translation } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Attempt } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';
import { fund } from './fund.js';
import { outgoingTo } from './outgoing.js';
import { prepareBody } from './prepare.js';
import type { Reading } from './read.js';
import type { Sending } from './send.js';
import { translatedBody, withMaximum } from './translate-body.js';
import { surfaceOf, wayTo, type Way } from './way.js';

/** An attempt as it goes out, and how its answer is read. */
export interface PreparedAttempt {
  readonly way: Way;
  /** `null`: the answer is relayed as it comes. */
  readonly translation: Translation | null;
  readonly sending: Sending;
}

/**
 * Turns the exchange to the target of an attempt and writes the call for it: the caller's bytes with the documented edits, or
 * their translation.
 * @throws AppError `wrong_dialect`, or `invalid_request` naming what this target cannot be given
 */
export function prepareAttempt(exchange: Exchange, reading: Reading, attempt: Attempt): PreparedAttempt {
  const { target, idleMs } = attempt.target;
  const way = wayTo(exchange, target);
  exchange.target = target;
  exchange.way = way;
  exchange.upstreamStatus = null;
  exchange.firstByteMs = null;
  if (way === null) {
    throw new AppError('wrong_dialect', { text: 'The provider of this model does not offer this operation.' });
  }
  fund(exchange, attempt.target);
  const translated = translatedBody(exchange, target, way);
  exchange.dropped =
    translated === null
      ? exchange.droppedByReading
      : [...new Set([...exchange.droppedByReading, ...translated.translation.dropped])];
  const body =
    translated === null
      ? withoutForeignReasoning(surfaceOf(way), prepareBody(exchange, reading, target, exchange.maxTokens))
      : withMaximum(translated, way, target, exchange.maxTokens);
  return {
    way,
    translation: translated?.translation ?? null,
    sending: {
      provider: target.provider,
      operation: way.operation,
      outgoing: outgoingTo(exchange, target, way, body),
      waits: { firstByteMs: attempt.firstByteMs, idleMs },
    },
  };
}
