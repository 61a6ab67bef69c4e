import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether an answer can be passed on. A redirect would show the upstream's host, a page of HTML is no answer in any dialect,
 * and of a compressed one (we asked for none) neither usage nor end could be read.
 */
export function isReadable(status: number, headers: IncomingHttpHeaders, isEvents: boolean): boolean {
  if (status >= 300 && status < 400) return false;
  const type = mediaType(headers);
  return (
    (headers['content-encoding'] ?? 'identity') === 'identity' && (isEvents || type === '' || type.includes('json'))
  );
}

/** In lower case; of a header that came twice, both. */
export function mediaType(headers: Readonly<Record<string, unknown>>): string {
  return String(headers['content-type'] ?? '').toLowerCase();
}

/** Whether the first character that is no space can begin a JSON text; what says it is JSON need not be. */
export function looksLikeJson(body: Buffer): boolean {
  return /^\s*[[{"\d\-tfn]/.test(body.toString('latin1', 0, 256));
}
