import { refuse } from './fields.js';
import type { MediaPart, MediaSource, TextPart } from './request-model.js';

const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)(?:;[\w-]+=[\w.-]+)*;base64,/i;

/** A `data:` or `https:` address as a source. @throws AppError `invalid_request` for other addresses */
export function sourceOfUrl(url: string, at: string, mediaType: string | null = null): MediaSource {
  if (url.startsWith('data:')) {
    // Only the head is matched: the rest may be megabytes.
    const head = DATA_URL.exec(url.slice(0, 200));
    if (head === null) throw refuse(at, `"${at}" must be a base64 data URL with a media type.`);
    return { kind: 'data', mediaType: (head[1] as string).toLowerCase(), data: url.slice(head[0].length) };
  }
  if (!/^https?:\/\//i.test(url)) throw refuse(at, `"${at}" must be an http(s) or data URL.`);
  return { kind: 'url', url, mediaType };
}

export function dataUrl(source: { readonly mediaType: string; readonly data: string }): string {
  return `data:${source.mediaType};base64,${source.data}`;
}

export function text(value: string, cache: TextPart['cache'] = null): TextPart {
  return { kind: 'text', text: value, cache };
}

export function media(
  kind: MediaPart['kind'],
  source: MediaSource,
  at: string,
  more: Partial<Pick<MediaPart, 'name' | 'detail' | 'cache'>> = {},
): MediaPart {
  return { kind, source, at, name: more.name ?? null, detail: more.detail ?? null, cache: more.cache ?? null };
}

/** A file id is refused everywhere but at the provider that gave it. */
export function foreignId(at: string): Error {
  return refuse(at, `"${at}" names an uploaded file, which this model cannot read: send its content.`);
}

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['pdf', 'application/pdf'],
]);

/** The media type an address's extension tells, or `null`. */
export function typeOfUrl(url: string): string | null {
  const path = url.split(/[?#]/, 1)[0] as string;
  return EXTENSIONS.get(path.slice(path.lastIndexOf('.') + 1).toLowerCase()) ?? null;
}
