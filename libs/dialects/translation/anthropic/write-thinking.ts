import type { Dropped } from '../fields.js';
import type { ClaudeProfile } from '../model-profile.js';
import type { ChatRequest, Effort, Json } from '../request-model.js';
import { budgetOf, effortOf, listLowered } from '../reasoning.js';

/** The least budget Anthropic takes. */
const MIN_BUDGET = 1024;

/**
 * Adds `thinking` (and effort) to an Anthropic body, as far as the model knows it. Returns whether it thinks, for then
 * sampling is fixed.
 */
export function writeThinking(
  body: Json,
  request: ChatRequest,
  maxTokens: number,
  profile: ClaudeProfile,
  dropped: Dropped,
): boolean {
  const reasoning = request.reasoning;
  if (reasoning === null) return false;
  const effort = effortOf(reasoning);
  if (effort === 'none') {
    if (profile.thinking !== 'none') body.thinking = { type: 'disabled' };
    return false;
  }
  if (profile.thinking === 'none' || isForced(request)) {
    dropped.add(reasoning.at);
    return false;
  }
  const display = reasoning.isShown === null ? {} : { display: reasoning.isShown ? 'summarized' : 'omitted' };
  if (profile.thinking === 'adaptive') {
    body.thinking = { type: 'adaptive', ...display };
    if (effort === null) return true;
    const known = writeEffort(effort, profile);
    listLowered(reasoning, known, dropped);
    body.output_config = { effort: known };
    return true;
  }
  // The budget is part of `max_tokens`: leave half of them for the answer.
  const budget = Math.min(budgetOf(reasoning) ?? MIN_BUDGET, Math.floor(maxTokens / 2));
  if (budget < MIN_BUDGET || isCallWithoutThinking(request)) {
    dropped.add(reasoning.at);
    return false;
  }
  body.thinking = { type: 'enabled', budget_tokens: budget, ...display };
  return true;
}

/** Thinking and a forced tool exclude each other. */
function isForced(request: ChatRequest): boolean {
  return request.toolChoice?.value.mode === 'required' && request.tools.length > 0;
}

/** With a fixed budget, a turn of calls must begin with its signed thinking; a history from elsewhere has none. */
function isCallWithoutThinking(request: ChatRequest): boolean {
  return request.turns.some(
    (turn) =>
      turn.role === 'assistant' &&
      turn.parts.some((part) => part.kind === 'call') &&
      !turn.parts.some((part) => part.kind === 'thinking' && part.signature?.by.startsWith('anthropic')),
  );
}

function writeEffort(effort: Effort, profile: ClaudeProfile): Effort {
  if (effort === 'minimal') return 'low';
  return effort === 'xhigh' && !profile.takesExtraHighEffort ? 'high' : effort;
}
