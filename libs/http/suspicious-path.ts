/**
 * Whether a request target tries to make the router and a rule read different paths: encoded dots, slashes, backslashes or
 * NUL, backslashes, empty or dot segments, absolute form, control characters, broken percent escapes. Only the path counts,
 * not the query. Such requests are refused on every route before anything else looks at them.
 *
 * @param url the request target as received (`request.raw.url`)
 */
export function isSuspiciousPath(url: string): boolean {
  if (url.charCodeAt(0) !== 47) return true; // absolute form, `*`, authority form
  const query = url.indexOf('?');
  const end = query === -1 ? url.length : query;
  let segmentStart = 1;
  for (let i = 1; i <= end; i++) {
    const char = i === end ? 47 : url.charCodeAt(i);
    if (char === 47) {
      const length = i - segmentStart;
      if (length === 0 && i !== end) return true; // `//`; one trailing slash is fine
      if (length === 1 && url.charCodeAt(segmentStart) === 46) return true; // `.`
      if (length === 2 && url.charCodeAt(segmentStart) === 46 && url.charCodeAt(segmentStart + 1) === 46) return true; // `..`
      segmentStart = i + 1;
    } else if (char === 37) {
      const value = parseInt(url.slice(i + 1, Math.min(i + 3, end)), 16);
      if (!/^[0-9a-fA-F]{2}$/.test(url.slice(i + 1, Math.min(i + 3, end)))) return true;
      if (value === 0x2e || value === 0x2f || value === 0x5c || value === 0x25 || value < 0x20 || value === 0x7f)
        return true;
    } else if (char === 92 || char === 35 || char <= 0x20 || char === 0x7f) {
      return true;
    }
  }
  return false;
}
