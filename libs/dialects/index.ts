// The entry of the dialects: wire shapes, usage readers and error renderers. Everything here is pure.
export { anthropic } from './anthropic/anthropic.js';
export type {
  Dialect,
  DialectName,
  ListedModel,
  Operation,
  RenderedError,
  StreamEnding,
  StreamEnds,
} from './dialect.js';
export { gemini } from './gemini/gemini.js';
export { openai } from './openai/openai.js';
export { maxTokensEdits, type ChatMaximum } from './max-tokens.js';
export { withoutUsageChunk } from './openai/stream.js';
export type { RateHeaders, RateLimits, RateState } from './rate-limits.js';
export { requestFacts, type RequestFacts } from './request-facts.js';
export { REQUEST_FIELDS } from './request-fields.js';
export type { MediaFacts } from './request-media.js';
export type { ServerTool } from './request-tools.js';
export { memberStart, removeMembers } from './members.js';
export {
  addField,
  elementsOf,
  parseSpan,
  scanObject,
  splice,
  type Edit,
  type ScannedObject,
  type Span,
} from './scan.js';
export {
  besideOf,
  type BesideUsage,
  type MediaTokens,
  type TokenCounts,
  type TokenUsage,
  type UsageDetails,
  type UsagePart,
  withServiceTier,
} from './usage.js';
export { errorIn } from './stream-error.js';
export { withoutForeignReasoning } from './translation/foreign-reasoning.js';
export type { Surface } from './translation/surface.js';
export type { TargetModel } from './translation/target.js';
export type { TranslatedStream } from './translation/translated-stream.js';
export { responsesToChat, translatorFor, type Translation, type Translator } from './translation/translator.js';
