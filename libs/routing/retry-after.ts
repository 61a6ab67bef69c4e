/** Longer pauses are taken for a mistake of the provider's clock or ours. */
const MOST_MS = 24 * 60 * 60 * 1000;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * How long a provider asks to be left alone, in ms: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110
 * §10.2.3); `x-ratelimit-reset-…` is not looked at, since it says when a window ends and not when a call is welcome.
 * Google says it in the body (`google.rpc.RetryInfo`). `null` when there is nothing usable; a moment in the past is 0.
 *
 * @param headers with names in lower case
 * @param nowMs ms since 1970
 * @param body of the error answer, as far as it was read
 */
export function retryAfterMs(headers: Headers, nowMs: number, body: Buffer | null = null): number | null {
  const exact = first(headers['retry-after-ms']);
  if (exact !== null && /^\d{1,12}(\.\d+)?$/.test(exact)) return bounded(Number(exact));
  const text = first(headers['retry-after']);
  if (text === null) return body === null ? null : retryDelayMs(body);
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return bounded(Number(text) * 1000);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : bounded(at - nowMs);
}

const MOST_BODY_BYTES = 16 * 1024;

function retryDelayMs(body: Buffer): number | null {
  const found = /"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"/.exec(body.toString('latin1', 0, MOST_BODY_BYTES));
  return found === null ? null : bounded(Number(found[1]) * 1000);
}

function bounded(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), MOST_MS);
}

function first(value: string | readonly string[] | undefined): string | null {
  const text = typeof value === 'string' ? value : value?.[0];
  return text === undefined ? null : text.trim();
}
