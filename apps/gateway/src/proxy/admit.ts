import type { KeyRecord, LimitScope, TokenEstimate } from '#libs/keys-budgets/index.js';
import type { Target } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import { factsOf } from './estimate.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import { reserve } from './reserve.js';

const NONE: readonly LimitScope[] = [];

/** The rate limits of a call: those of the key and its owners, and those of the target. `null`: none, the stage is left out. */
function limitsOf(exchange: Exchange, key: KeyRecord, target: Target): readonly LimitScope[] | null {
  const { modelLimits } = exchange.snapshot;
  const ofModel = modelLimits.size === 0 ? NONE : (modelLimits.get(`${target.provider.name}/${target.model}`) ?? NONE);
  if (ofModel.length === 0) return key.limits.length === 0 ? null : key.limits;
  return key.limits.length === 0 ? ofModel : [...key.limits, ...ofModel];
}

/**
 * Stage 7: room in the rate limits and money in the budgets, both or none: what the call holds already is given back by
 * whoever ends it. Both are decided in this process as a rule, else by one question to Redis; the intent is on the disk
 * when this resolves. Rejects with `LimitRefusal`, and as `reserve` does.
 */
export async function admit(
  exchange: Exchange,
  reading: Reading,
  key: KeyRecord,
  target: Target,
  plane: DataPlane,
): Promise<void> {
  const limits = limitsOf(exchange, key, target);
  if (limits !== null) {
    const admitted = plane.limiter.admit(key.orgId, limits, usualTokens(exchange, reading, target, limits));
    exchange.ticket = admitted instanceof Promise ? await admitted : admitted;
    if (exchange.response.destroyed) return;
  }
  await reserve(exchange, reading, key, target, plane);
}

const NOTHING: TokenEstimate = { input: 1, output: 0 };
const BYTES_PER_TOKEN = 4;
/** A picture or a page: what is larger counts when the call is over. */
const PIECE_TOKENS = 4_096;
/** An answer is rarely as long as it may be: what is longer than this counts when it is over. */
const USUAL_ANSWER_TOKENS = 1_024;

/** Tokens a call will take against limits of tokens, roughly: what it took in truth counts when it is over. @throws AppError `invalid_json` */
export function usualTokens(
  exchange: Exchange,
  reading: Reading,
  target: Target,
  limits: readonly LimitScope[],
): TokenEstimate {
  if (limits.every((scope) => scope.limits.tpm === null)) return NOTHING;
  const { textBytes, idTokens, media, maxTokens } = factsOf(exchange, reading, target);
  const pieces = media === null ? 0 : media.images + media.sounds + media.others;
  const ofMedia = Math.min(Math.ceil((media?.payloadBytes ?? 0) / BYTES_PER_TOKEN), pieces * PIECE_TOKENS);
  return {
    input: Math.ceil(textBytes / BYTES_PER_TOKEN) + idTokens + ofMedia,
    output: Math.min(USUAL_ANSWER_TOKENS, maxTokens ?? USUAL_ANSWER_TOKENS),
  };
}
