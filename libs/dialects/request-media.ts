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

/** Counts the media in a parsed request of any dialect, wherever they stand (tool results hold images too). */
export function mediaIn(request: unknown): MediaFacts {
  const count: Count = { images: 0, sounds: 0, others: 0, stored: false, payloadBytes: 0 };
  const { tools: _tools, response_format: _format, ...rest } = nested(request);
  visit(rest, count);
  return count;
}

function visit(value: unknown, count: Count): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, count);
  } else if (typeof value === 'object' && value !== null) {
    const part = value as Record<string, unknown>;
    if (countPart(part, count)) return;
    for (const name in part) visit(part[name], count);
  }
}

/** Counts an object that is a piece of media. True when nothing inside it is left to look at. */
function countPart(part: Record<string, unknown>, count: Count): boolean {
  switch (part.type) {
    case 'image': // Anthropic
      count.images += 1;
      count.payloadBytes += base64In(nested(part.source).data);
      return true;
    case 'document':
      return countDocument(nested(part.source), count);
    case 'image_url': // OpenAI chat
      count.images += 1;
      count.payloadBytes += dataUrlIn(typeof part.image_url === 'string' ? part.image_url : nested(part.image_url).url);
      return true;
    case 'input_image': // OpenAI Responses
    case 'computer_screenshot':
      count.images += 1;
      count.payloadBytes += dataUrlIn(part.image_url);
      return true;
    case 'image_generation_call':
      count.images += 1;
      count.payloadBytes += base64In(part.result);
      return true;
    case 'input_audio':
    case 'audio_url':
    case 'audio':
      count.sounds += 1;
      count.payloadBytes += base64In(nested(part.input_audio).data);
      return true;
    case 'file':
      count.others += 1;
      count.payloadBytes += dataUrlIn(nested(part.file).file_data);
      return true;
    case 'input_file':
      count.others += 1;
      count.payloadBytes += dataUrlIn(part.file_data);
      return true;
    case 'video':
    case 'video_url':
    case 'input_video':
    case 'container_upload':
      count.others += 1;
      return true;
    case 'item_reference':
      count.stored = true;
      return true;
    default:
      // An earlier answer in sound, which the provider has kept.
      if (part.role === 'assistant' && typeof nested(part.audio).id === 'string') count.sounds += 1;
      return countGemini(part, count);
  }
}

/** Plain text is text; a list of blocks is looked into; everything else has pages. */
function countDocument(source: Record<string, unknown>, count: Count): boolean {
  if (source.type === 'text') return true;
  if (source.type === 'content') {
    visit(source.content, count);
    return true;
  }
  count.others += 1;
  count.payloadBytes += base64In(source.data);
  return true;
}

function countGemini(part: Record<string, unknown>, count: Count): boolean {
  const inline = part.inlineData ?? part.inline_data;
  const isFile = part.fileData !== undefined || part.file_data !== undefined;
  // Beside other members (a thought signature) only these are media.
  if (typeof inline === 'object' && inline !== null) {
    const { mimeType, mime_type, data } = inline as Record<string, unknown>;
    const mime = String(mimeType ?? mime_type ?? '');
    if (mime.startsWith('text/')) return true;
    if (mime.startsWith('image/')) count.images += 1;
    else if (mime.startsWith('audio/')) count.sounds += 1;
    else count.others += 1;
    count.payloadBytes += base64In(data);
    return true;
  }
  if (isFile) count.others += 1;
  return isFile;
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
