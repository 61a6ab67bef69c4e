const FORMULA = /^[=+\-@\t\r\n]/;

/**
 * A text as one field of CSV (RFC 4180). What a spreadsheet would take for a formula (`=`, `+`, `-`, `@` at its beginning)
 * gets an apostrophe in front, so that a name somebody chose is never run on somebody else's desk.
 */
export function csvText(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as CSV with their header. Texts are escaped, numbers stand as they are. */
export function csvDocument(header: readonly string[], rows: Iterable<readonly (string | number | bigint)[]>): string {
  let text = `${header.join(',')}\r\n`;
  for (const row of rows)
    text += `${row.map((cell) => (typeof cell === 'string' ? csvText(cell) : String(cell))).join(',')}\r\n`;
  return text;
}
