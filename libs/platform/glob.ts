/** Decides whether a name is on a list. */
export type Matcher = (text: string) => boolean;

const everything: Matcher = () => true;

/** Whether `text` fits a pattern whose `*` stands for any characters, also none. Time is linear in both for one `*` each. */
function fits(parts: readonly string[], text: string): boolean {
  const first = parts[0] as string;
  const last = parts[parts.length - 1] as string;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  // Between the ends, each part is taken at its first place: leftmost is never worse.
  let at = first.length;
  const end = text.length - last.length;
  for (let i = 1; i < parts.length - 1; i++) {
    const part = parts[i] as string;
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Compiles a list of names and globs (`*` only) into one matcher. An empty list matches nothing. */
export function compileGlobs(patterns: readonly string[]): Matcher {
  if (patterns.some((pattern) => /^\*+$/.test(pattern))) return everything;
  const names = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split(/\*+/));
  return (text) => names.has(text) || globs.some((parts) => fits(parts, text));
}

const MEMO_SIZE = 256;

/** Remembers a matcher's answers for up to 256 texts; when full it forgets all and starts again (callers choose the texts). */
export function memoised(matcher: Matcher): Matcher {
  if (matcher === everything) return matcher;
  const memo = new Map<string, boolean>();
  return (text) => {
    const known = memo.get(text);
    if (known !== undefined) return known;
    if (memo.size >= MEMO_SIZE) memo.clear();
    const answer = matcher(text);
    memo.set(text, answer);
    return answer;
  };
}
