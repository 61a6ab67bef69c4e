import type { Effort } from './request-model.js';

/**
 * What a model's name tells of the fields its provider takes. Providers refuse what a model does not know, so a translated
 * request must not carry it. An unknown name counts as a current model.
 */

/** The version in a name as a sortable number: 4.6 → 4.06, 4 → 4. */
function version(match: RegExpExecArray | null): number {
  if (match === null) return Number.POSITIVE_INFINITY;
  return Number(match[1]) + Number(match[2] ?? 0) / 100;
}

export interface ClaudeProfile {
  /** `budget`: `thinking.budget_tokens`; `adaptive`: effort decides; sampling fields are gone from 4.7 on. */
  readonly thinking: 'none' | 'budget' | 'adaptive';
  readonly takesSampling: boolean;
  /** From 4.1 on `temperature` and `top_p` exclude each other. */
  readonly takesBothSamplers: boolean;
  readonly takesExtraHighEffort: boolean;
  /** `max_tokens` must be sent; what we send when the caller says nothing and no limit is known. */
  readonly defaultMaxTokens: number;
}

/** From names such as `claude-opus-4-7`, `claude-3-7-sonnet-20250219`, `anthropic.claude-sonnet-4-20250514-v1:0`. */
export function claudeProfile(model: string): ClaudeProfile {
  // Other servers of the dialect take what Anthropic's models took before 4.
  if (!model.includes('claude'))
    return {
      thinking: 'budget',
      takesSampling: true,
      takesBothSamplers: true,
      takesExtraHighEffort: false,
      defaultMaxTokens: 4096,
    };
  const v = version(/claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2})(?!\d))?(?!\d)/.exec(model));
  return {
    thinking: v < 3.07 ? 'none' : v < 4.06 ? 'budget' : 'adaptive',
    takesSampling: v < 4.07,
    takesBothSamplers: v < 4.01,
    takesExtraHighEffort: v >= 4.07,
    defaultMaxTokens: v < 4 ? 4096 : 16_384,
  };
}

export interface GeminiProfile {
  readonly thinking: 'none' | 'budget' | 'level';
  /** From 3 on: ids of calls are taken, and a call of the past without its signature is refused. */
  readonly checksSignatures: boolean;
}

export function geminiProfile(model: string): GeminiProfile {
  if (!model.includes('gemini')) return { thinking: 'none', checksSignatures: false };
  const v = version(/gemini-(\d+)(?:\.(\d+))?/.exec(model));
  return { thinking: v < 2.05 ? 'none' : v < 3 ? 'budget' : 'level', checksSignatures: v >= 3 };
}

export interface OpenAiProfile {
  /** OpenAI's own names; other servers of the dialect know only the older field names. */
  readonly isOpenAi: boolean;
  /** Takes `reasoning_effort`, refuses sampling and stop sequences. */
  readonly isReasoning: boolean;
  /** The nearest effort the model knows: `none` came with 5.1 in the place of `minimal`, `xhigh` with 5.2. */
  nearest(effort: Effort): Effort;
}

export function openAiProfile(model: string): OpenAiProfile {
  const name = model.slice(model.lastIndexOf('/') + 1);
  const isReasoning = /^(o\d|gpt-([5-9]|\d\d)|codex)/.test(name) && !name.includes('chat');
  const v = /^o\d/.test(name) ? 1 : version(/^gpt-(\d+)(?:\.(\d+))?/.exec(name));
  return {
    isReasoning,
    isOpenAi: isReasoning || /^(gpt-|chatgpt-|ft:)/.test(name),
    nearest: (effort) => {
      if (effort === 'none') return v >= 5.01 ? 'none' : v >= 5 ? 'minimal' : 'low';
      if (effort === 'minimal') return v >= 5 && v < 5.01 ? 'minimal' : 'low';
      if (effort === 'xhigh' || effort === 'max') return v >= 5.02 ? 'xhigh' : 'high';
      return effort;
    },
  };
}
