import type { KeyRecord, LimitScope, LimitTicket, TokenEstimate } from '#libs/keys-budgets/index.js';
import type { PlanTarget, Target } from '#libs/routing/index.js';
import type { DataPlane } from './data-plane.js';
import { factsOf } from './estimate.js';
import type { Exchange } from './exchange.js';
import type { Reading } from './read.js';
import { reserve } from './reserve.js';

const NONE: readonly LimitScope[] = [];

function limitsOfTarget({ modelLimits }: Exchange['snapshot'], { id }: PlanTarget): readonly LimitScope[] {
  return modelLimits.size === 0 ? NONE : (modelLimits.get(id) ?? NONE);
}

/** The rate limits of a call: those of the key and its owners, and those of its only target. `null`: none, the stage is left out. */
function limitsOf({ snapshot, plan, candidates }: Exchange, key: KeyRecord): readonly LimitScope[] | null {
  const [first] = candidates;
  // Which target a chain takes is not known yet: `admitTarget` asks for it.
  const ofModel = plan?.chain !== null || first === undefined ? NONE : limitsOfTarget(snapshot, first);
  if (ofModel.length === 0) return key.limits.length === 0 ? null : key.limits;
  return key.limits.length === 0 ? ofModel : [...key.limits, ...ofModel];
}

/**
 * Stage 7: room in the rate limits and money in the budgets, both or none: what the call holds already is given back by
 * whoever ends it. Both are decided in this process as a rule, else by one question to Redis; the intent is on the disk
 * when this resolves. Rejects with `LimitRefusal`, and as `reserve` does.
 */
export async function admit(exchange: Exchange, reading: Reading, key: KeyRecord, plane: DataPlane): Promise<void> {
  const limits = limitsOf(exchange, key);
  if (limits !== null) {
    const [{ target }] = exchange.candidates as readonly [PlanTarget];
    const admitted = plane.limiter.admit(key.orgId, limits, usualTokens(exchange, reading, target, limits));
    exchange.ticket = admitted instanceof Promise ? await admitted : admitted;
    if (exchange.response.destroyed) return;
  }
  await reserve(exchange, reading, key, plane);
}

/**
 * Room in the limits of the target that a chain has chosen; `null` when it has none. Rejects with `LimitRefusal`: the next
 * target may have room; and with AppError `invalid_json`.
 */
export function admitTarget(
  exchange: Exchange,
  reading: Reading,
  target: PlanTarget,
  plane: DataPlane,
): Promise<LimitTicket> | null {
  const { plan, snapshot, key } = exchange;
  const limits = plan?.chain === null ? NONE : limitsOfTarget(snapshot, target);
  if (limits.length === 0 || key === null) return null;
  return Promise.resolve().then(() =>
    plane.limiter.admit(key.orgId, limits, usualTokens(exchange, reading, target.target, limits)),
  );
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
