import type { Dropped } from './fields.js';
import type { Effort, Reasoning } from './request-model.js';

/** Efforts and token budgets, as Google's OpenAI-compatible surface pairs them; both ways so that a round trip is stable. */
const BUDGETS: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
};

/** The effort a caller asked for, by name or as a budget; `null`: the model decides. */
export function effortOf(reasoning: Reasoning | null): Effort | null {
  if (reasoning === null) return null;
  if (reasoning.effort !== null) return reasoning.effort;
  const budget = reasoning.budgetTokens;
  if (budget === null) return null;
  if (budget <= 0) return budget === 0 ? 'none' : null;
  if (budget <= 2048) return 'low';
  return budget <= 16_384 ? 'medium' : 'high';
}

const MOST: readonly (Effort | null)[] = ['high', 'xhigh', 'max'];

/** Lists an effort beyond `known`, the most the model takes. */
export function listLowered(reasoning: Reasoning, known: Effort, dropped: Dropped): void {
  if (MOST.indexOf(reasoning.effort) > MOST.indexOf(known)) dropped.add(`${reasoning.at}:lowered`);
}

/** The budget in tokens a caller asked for, by number or as an effort; `null`: the model decides. */
export function budgetOf(reasoning: Reasoning): number | null {
  if (reasoning.budgetTokens !== null) return reasoning.budgetTokens;
  return reasoning.effort === null ? null : BUDGETS[reasoning.effort];
}
