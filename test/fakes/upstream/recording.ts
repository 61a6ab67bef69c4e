import type { TokenUsage } from '#libs/dialects/index.js';

/** What a provider sent in answer to one call, with what a correct reader must find in it. Authored by hand after the real shapes. */
export interface Recording {
  readonly contentType: string;
  /** One text per SSE frame; a single one for a plain answer. Joined they are the body. */
  readonly frames: readonly string[];
  /** `null`: the provider reported none. */
  readonly usage: Omit<TokenUsage, 'raw'> | null;
}

export const EVENT_STREAM = 'text/event-stream; charset=utf-8';
const NOTHING = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  webSearchRequests: 0,
  details: null,
};

export function plain(body: unknown, usage: Partial<NonNullable<Recording['usage']>> | null): Recording {
  return { contentType: 'application/json', frames: [JSON.stringify(body)], usage: usage && { ...NOTHING, ...usage } };
}

export function stream(frames: readonly string[], usage: Partial<NonNullable<Recording['usage']>> | null): Recording {
  return { contentType: EVENT_STREAM, frames, usage: usage && { ...NOTHING, ...usage } };
}

/** A frame without an event name (OpenAI chat, Gemini). */
export function data(value: unknown, newline = '\n'): string {
  return `data: ${JSON.stringify(value)}${newline}${newline}`;
}

/** A frame whose event name repeats the value's `type` (Anthropic, OpenAI Responses). */
export function event<T extends { readonly type: string }>(value: T): string {
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
}
