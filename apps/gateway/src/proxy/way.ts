import {
  anthropic,
  gemini,
  openai,
  translatorFor,
  type Dialect,
  type Operation,
  type Surface,
  type Translator,
} from '#libs/dialects/index.js';
import type { Target } from '#libs/routing/index.js';
import type { Exchange } from './exchange.js';

/** How a call is put to a target: in which wire format, and by which translation. */
export interface Way {
  /** The provider's: requests are written and answers read in it. */
  readonly dialect: Dialect;
  readonly operation: Operation;
  /** `null`: caller and provider speak the same; bytes are relayed as they are. */
  readonly translator: Translator | null;
}

const DIALECT_OF: Readonly<Record<Operation, Dialect>> = {
  chat: openai,
  responses: openai,
  completions: openai,
  embeddings: openai,
  messages: anthropic,
  count_tokens: anthropic,
  generate: gemini,
  stream_generate: gemini,
  gemini_count_tokens: gemini,
  gemini_embed: gemini,
  gemini_batch_embed: gemini,
};

/** Made once: every call of a format goes the same ways. */
const SAME = new Map<Operation, Way>(
  (Object.keys(DIALECT_OF) as Operation[]).map((operation) => [
    operation,
    { dialect: DIALECT_OF[operation], operation, translator: null },
  ]),
);
const TRANSLATED = new Map<string, Way | null>();

/** What a provider is asked for instead, the first it speaks. */
const FOREIGN: readonly (readonly [whole: Operation, stream: Operation])[] = [
  ['messages', 'messages'],
  ['generate', 'stream_generate'],
  ['chat', 'chat'],
];

/** The way to a target; `null` when it cannot take the call. */
export function wayTo({ operation, stream }: Pick<Exchange, 'operation' | 'stream'>, target: Target): Way | null {
  const { provider, model } = target;
  if (operation === null) return null;
  const offers = (asked: Operation): boolean =>
    provider.speaks(DIALECT_OF[asked].name, model) && provider.pathFor(asked, model, '', stream) !== null;
  if (offers(operation)) return SAME.get(operation) ?? null;
  for (const [whole, streamed] of FOREIGN) {
    const asked = stream ? streamed : whole;
    const way = offers(asked) ? translated(operation, asked) : null;
    if (way !== null) return way;
  }
  return null;
}

/** The wire format of a way. */
export function surfaceOf({ dialect, operation }: Way): Surface {
  return { dialect: dialect.name, operation };
}

function translated(from: Operation, to: Operation): Way | null {
  const name = `${from}>${to}`;
  let way = TRANSLATED.get(name);
  if (way === undefined) {
    const translator = translatorFor(
      { dialect: DIALECT_OF[from].name, operation: from },
      { dialect: DIALECT_OF[to].name, operation: to },
    );
    way = translator === null ? null : { dialect: DIALECT_OF[to], operation: to, translator };
    TRANSLATED.set(name, way);
  }
  return way;
}
