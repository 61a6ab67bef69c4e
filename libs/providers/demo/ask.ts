import type { DemoBehaviour } from './behaviour.js';

/** A tool the caller offers. */
export interface DemoTool {
  readonly name: string;
  /** JSON schema of its arguments as received; anything may stand here. */
  readonly schema: unknown;
}

/** A call in no dialect: all that decides the answer. Each dialect reads its request into one of these. */
export interface DemoAsk {
  readonly behaviour: DemoBehaviour;
  /** Text of the last message of the user. */
  readonly userText: string;
  /** Results of tools in the last turn; empty when the last turn is no tool result. */
  readonly toolResults: readonly string[];
  readonly tools: readonly DemoTool[];
  /** `none`: no tool may be asked for. A name: this tool. */
  readonly toolChoice: 'auto' | 'none' | { readonly name: string };
  readonly parallelTools: boolean;
  /** `json`: any object. A schema: an instance of it. */
  readonly format: 'text' | 'json' | { readonly schema: unknown };
  /** `null`: as long as it gets. */
  readonly maxTokens: number | null;
  readonly stops: readonly string[];
  readonly choices: number;
  readonly inputTokens: number;
}

/** Tokens one image counts for. */
export const TOKENS_PER_IMAGE = 85;
const CHARS_PER_TOKEN = 4;
/** Real services take 128 (OpenAI) and 8 (Gemini). */
export const MAX_CHOICES = 128;

/** Tokens of a text: a quarter of its UTF-16 length, rounded up. */
export function tokensOf(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

/** The longest text of so many tokens. */
export function charsOf(tokens: number): number {
  return tokens * CHARS_PER_TOKEN;
}

/** Adds up what goes into a call. */
export class InputMeter {
  #chars = 0;
  #images = 0;
  addText(text: string): void {
    this.#chars += text.length;
  }
  /** Tool declarations and arguments count by their JSON text. */
  addJson(value: unknown): void {
    this.#chars += JSON.stringify(value)?.length ?? 0;
  }
  addImage(): void {
    this.#images += 1;
  }
  get images(): number {
    return this.#images;
  }
  get tokens(): number {
    return tokensOf(this.#chars) + this.#images * TOKENS_PER_IMAGE;
  }
}
