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
export { responsesToChat } from './openai/responses-to-chat.js';
export { withoutUsageChunk } from './openai/stream.js';
export { memberStart, removeMembers } from './members.js';
export {
  addField,
  elementsOf,
  objectAt,
  parseSpan,
  scanObject,
  splice,
  type Edit,
  type ScannedObject,
  type Span,
} from './scan.js';
export type { TokenUsage } from './usage.js';
