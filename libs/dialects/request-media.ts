import type { DialectName } from './dialect.js';
import { nested } from './usage.js';

/** Media in a request: how many pieces, and how much of the body is their base64. */
export interface MediaFacts {
  readonly images: number;
  /** Sound: billed at prices of its own. */
  readonly sounds: number;
  /** PDFs, video, files, and whatever is only referred to: of unknown length. */
  readonly others: number;
  /** Items the provider has stored are referred to. */
  readonly stored: boolean;
  /** Bytes of the body that are base64 of media, and no text. */
  readonly payloadBytes: number;
}

interface Count {
  images: number;
  sounds: number;
  others: number;
  stored: boolean;
  payloadBytes: number;
}

type Part = Readonly<Record<string, unknown>>;
type Reader = (part: Part, count: Count) => void;

/** A piece of one kind, and the base64 it holds. */
const piece =
  (kind: 'images' | 'sounds' | 'others', payload: (part: Part) => number): Reader =>
  (part, count) => {
    count[kind] += 1;
    count.payloadBytes += payload(part);
  };
const nothing = (): number => 0;

/** Parts of OpenAI's messages and items, and what compatible servers add, by their `type`. */
const OPENAI_PARTS: Readonly<Record<string, Reader>> = {
  image_url: piece('images', ({ image_url: url }) => dataUrlIn(typeof url === 'string' ? url : nested(url).url)),
  input_image: piece('images', ({ image_url: url }) => dataUrlIn(url)),
  computer_screenshot: piece('images', ({ image_url: url }) => dataUrlIn(url)),
  image_generation_call: piece('images', ({ result }) => base64In(result)),
  input_audio: piece('sounds', (part) => base64In(nested(part.input_audio).data)),
  audio_url: piece('sounds', nothing),
  audio: piece('sounds', nothing),
  file: piece('others', ({ file }) => dataUrlIn(nested(file).file_data)),
  input_file: piece('others', ({ file_data: data }) => dataUrlIn(data)),
  video: piece('others', nothing),
  video_url: piece('others', nothing),
  input_video: piece('others', nothing),
  item_reference: (_part, count) => void (count.stored = true),
};

/** Blocks of Anthropic's messages, by their `type`. */
const ANTHROPIC_PARTS: Readonly<Record<string, Reader>> = {
  image: piece('images', (part) => base64In(nested(part.source).data)),
  document: (part, count) => countDocument(nested(part.source), count),
  container_upload: piece('others', nothing),
};

const INLINE = ['inlineData', 'inline_data'];
const FILES = ['fileData', 'file_data'];
/** Members that refer to a file, beside those that are counted above. */
const REFERENCES = ['file_id', 'file_url', 'fileUri', 'file_uri'];

/** All words that may stand for media: one of them in a body is why it is parsed and looked through. */
export const MEDIA_WORDS: readonly string[] = [
  ...new Set([...Object.keys(OPENAI_PARTS), ...Object.keys(ANTHROPIC_PARTS), ...INLINE, ...FILES, ...REFERENCES]),
];

/**
 * Counts the media in a parsed request where its dialect has media: in messages, items and blocks, and in the results of
 * tools. What looks the same inside free JSON (arguments of a call, a tool's structured answer, metadata) reaches the model
 * as text and is counted as text.
 */
export function mediaIn(request: unknown, dialect: DialectName): MediaFacts {
  const count: Count = { images: 0, sounds: 0, others: 0, stored: false, payloadBytes: 0 };
  const top = nested(request);
  if (dialect === 'gemini') {
    for (const name of ['contents', 'content', 'systemInstruction', 'system_instruction'])
      countContents(top[name], count);
    for (const one of listOf(top.requests)) countContents(nested(one).content, count);
  } else if (dialect === 'anthropic') {
    countBlocks(top.system, ANTHROPIC_PARTS, count);
    countBlocks(top.messages, ANTHROPIC_PARTS, count);
  } else {
    countBlocks(top.messages, OPENAI_PARTS, count);
    countBlocks(top.input, OPENAI_PARTS, count);
    countBlocks(Object.values(nested(nested(top.prompt).variables)), OPENAI_PARTS, count);
  }
  return count;
}

/** A list; Gemini takes a single object for a list of one. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value == null ? [] : [value];
}

/** Messages, items and blocks: media themselves, or with more of them in their `content` or `output`. */
function countBlocks(value: unknown, readers: Readonly<Record<string, Reader>>, count: Count): void {
  if (Array.isArray(value)) {
    for (const item of value) countBlocks(item, readers, count);
  } else if (typeof value === 'object' && value !== null) {
    const part = value as Part;
    const { type } = part;
    if (typeof type === 'string' && Object.hasOwn(readers, type)) return (readers[type] as Reader)(part, count);
    // An earlier answer in sound, which the provider has kept.
    if (part.role === 'assistant' && typeof nested(part.audio).id === 'string') count.sounds += 1;
    countBlocks(part.content, readers, count);
    countBlocks(part.output, readers, count);
  }
}

/** Plain text is text; a list of blocks is looked into; everything else has pages. */
function countDocument(source: Part, count: Count): void {
  if (source.type === 'text') return;
  if (source.type === 'content') return countBlocks(source.content, ANTHROPIC_PARTS, count);
  count.others += 1;
  count.payloadBytes += base64In(source.data);
}

/** Gemini's contents. */
function countContents(value: unknown, count: Count): void {
  for (const content of listOf(value)) countParts(nested(content).parts, count);
}

function countParts(parts: unknown, count: Count): void {
  for (const one of listOf(parts)) {
    const part = nested(one);
    // Beside other members (a thought signature) only these are media.
    for (const name of INLINE) if (part[name] != null) countInline(nested(part[name]), count);
    for (const name of FILES) if (part[name] != null) count.others += 1;
    for (const name of ['functionResponse', 'function_response']) countParts(nested(part[name]).parts, count);
  }
}

function countInline({ mimeType, mime_type, data }: Part, count: Count): void {
  const mime = String(mimeType ?? mime_type ?? '');
  if (mime.startsWith('text/')) return;
  if (mime.startsWith('image/')) count.images += 1;
  else if (mime.startsWith('audio/')) count.sounds += 1;
  else count.others += 1;
  count.payloadBytes += base64In(data);
}

/** Length of base64 text; what is no base64 stays text. */
function base64In(value: unknown): number {
  return typeof value === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value) ? value.length : 0;
}

/** Length of the base64 in a data URL; a URL elsewhere is text. */
function dataUrlIn(value: unknown): number {
  if (typeof value !== 'string' || !value.startsWith('data:')) return 0;
  const comma = value.indexOf(',');
  return comma < 0 ? 0 : base64In(value.slice(comma + 1));
}
