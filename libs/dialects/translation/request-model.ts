import type { DialectName } from '../dialect.js';
import type { WrittenNumber } from './exact-json.js';
import type { Signature } from './signatures.js';

/**
 * The internal model of a request: what every reader fills in and every writer reads. `at` is the place in the caller's
 * body, so that what a writer must refuse or drop is named as the caller wrote it.
 */

export type Json = Record<string, unknown>;

/** Where the bytes of an image or a file are. `data` is base64; an `id` only means something to the provider that gave it. */
export type MediaSource =
  | { readonly kind: 'data'; readonly mediaType: string; readonly data: string }
  | { readonly kind: 'url'; readonly url: string; readonly mediaType: string | null }
  | { readonly kind: 'id'; readonly id: string };

export interface TextPart {
  readonly kind: 'text';
  readonly text: string;
  /** Anthropic's cache mark, as the caller wrote it (chat callers may write it too). */
  readonly cache: Json | null;
}

export interface MediaPart {
  readonly kind: 'image' | 'file' | 'audio';
  readonly source: MediaSource;
  /** File name or title. */
  readonly name: string | null;
  /** OpenAI's `detail` of an image. */
  readonly detail: string | null;
  readonly cache: Json | null;
  readonly at: string;
}

/** The result of a tool call. */
export interface ResultPart {
  readonly kind: 'result';
  readonly callId: string;
  /** Name of the tool where the caller's dialect gives it (Gemini), else found by the call's id. */
  readonly name: string | null;
  readonly parts: readonly (TextPart | MediaPart)[];
  readonly isError: boolean;
  readonly cache: Json | null;
  readonly at: string;
}

export interface CallPart {
  readonly kind: 'call';
  readonly id: string;
  readonly name: string;
  /** JSON text of an object; of a custom tool the free text it takes. */
  readonly args: string;
  readonly isCustom: boolean;
  readonly signature: Signature | null;
  readonly at: string;
}

/** Reasoning of an earlier turn. Without text and with a signature it is redacted. */
export interface ThinkingPart {
  readonly kind: 'thinking';
  readonly text: string;
  readonly signature: Signature | null;
  readonly at: string;
}

export interface RefusalPart {
  readonly kind: 'refusal';
  readonly text: string;
}

export type UserPart = TextPart | MediaPart | ResultPart;
export type AssistantPart = TextPart | ThinkingPart | CallPart | RefusalPart;

export type Turn =
  | { readonly role: 'system'; readonly isDeveloper: boolean; readonly parts: readonly TextPart[] }
  | { readonly role: 'user'; readonly parts: readonly UserPart[] }
  | { readonly role: 'assistant'; readonly parts: readonly AssistantPart[] };

export interface Tool {
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of the arguments; `null`: none given. */
  readonly schema: Json | null;
  readonly isStrict: boolean | null;
  /** A tool of OpenAI's that takes free text; `format` is its grammar. */
  readonly custom: { readonly format: unknown } | null;
  readonly cache: Json | null;
  readonly at: string;
}

export interface ToolChoice {
  readonly mode: 'auto' | 'none' | 'required';
  /** Only these may be called; `null`: all. */
  readonly allowed: readonly string[] | null;
}

export type AnswerFormat =
  | { readonly kind: 'json' }
  | {
      readonly kind: 'schema';
      readonly schema: Json;
      readonly name: string | null;
      readonly description: string | null;
      readonly isStrict: boolean | null;
    };

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export interface Reasoning {
  /** `null`: the model decides. */
  readonly effort: Effort | null;
  readonly budgetTokens: number | null;
  /** Whether the caller wants to read it; `null`: not said. */
  readonly isShown: boolean | null;
  /** The caller's field. */
  readonly at: string;
}

/** A number or other small setting together with the caller's name for it. */
export interface Setting<T> {
  readonly value: T;
  readonly at: string;
}

export interface ChatRequest {
  readonly source: DialectName;
  readonly model: string | null;
  readonly isStream: boolean;
  readonly wantsStreamUsage: boolean;
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  readonly toolChoice: Setting<ToolChoice> | null;
  readonly parallelCalls: Setting<boolean> | null;
  readonly format: Setting<AnswerFormat> | null;
  readonly reasoning: Reasoning | null;
  readonly maxTokens: Setting<number> | null;
  readonly temperature: Setting<number> | null;
  readonly topP: Setting<number> | null;
  readonly topK: Setting<number> | null;
  readonly frequencyPenalty: Setting<number> | null;
  readonly presencePenalty: Setting<number> | null;
  readonly seed: Setting<number | WrittenNumber> | null;
  readonly stop: Setting<readonly string[]> | null;
  /** Whom the call is made for, in the provider's eyes. */
  readonly user: Setting<string> | null;
  /** Fields only OpenAI's two dialects share: passed on between them, dropped by the others. */
  readonly openAiOnly: Json;
}

/** What the caller's dialect needs to know of the request when the answer is written. */
export interface ReplyContext {
  /** The model sent to; stands in the answer when the provider names none. */
  readonly model: string;
  /** Unique per request: answers and calls to which the provider gives no id take theirs from it. */
  readonly requestId: string;
  readonly createdAtSeconds: number;
  readonly wantsStreamUsage: boolean;
  /** Tools that take free text but were offered as functions: their calls are turned back. */
  readonly customTools: ReadonlySet<string>;
  /** A Gemini caller without `alt=sse` reads a JSON array. */
  readonly asJsonArray: boolean;
  /** The request's fields a Responses answer repeats. */
  readonly echo: Json;
}
