/** Which events are parsed; content may hold the same words. */
const MAY_BE_ERROR = /^event:\s*error|"error"|"response\.failed"/m;

/**
 * The JSON text of the first error event in a block; `null` when there is none. What an event is, its name or its root says:
 * tool schemas, arguments and texts may speak of errors as they like.
 */
export function errorIn(block: Buffer): Buffer | null {
  const text = block.toString('utf8');
  if (!MAY_BE_ERROR.test(text)) return null;
  for (const event of text.split(/\r?\n\r?\n/)) {
    if (!MAY_BE_ERROR.test(event)) continue;
    const data = dataOf(event);
    if (/^event:\s*error\s*$/m.test(event) || isError(data)) return Buffer.from(data);
  }
  return null;
}

function dataOf(event: string): string {
  return event
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
    .join('\n');
}

function isError(data: string): boolean {
  try {
    const parsed: unknown = JSON.parse(data);
    return isErrorRoot((Array.isArray(parsed) ? parsed[0] : parsed) as ErrorRoot | null);
  } catch {
    return false;
  }
}

/** What stands for no error. */
const NONE: ReadonlySet<unknown> = new Set([undefined, null, false, '']);

interface ErrorRoot {
  readonly type?: unknown;
  readonly error?: unknown;
}

/** Whether an event, or an element of a Gemini array, is an error. `"error": null` and the like say that there is none. */
export function isErrorRoot(root: ErrorRoot | null): boolean {
  return root?.type === 'error' || root?.type === 'response.failed' || !NONE.has(root?.error);
}
