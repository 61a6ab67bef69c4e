/**
 * The candidate a mistyped name most likely meant, or `null` when none is near. Case and separators do not count
 * (`baseUrl` finds `base_url`), a beginning finds the whole (`warning`, `warn`); else up to a third of the letters may be wrong.
 */
export function nearest(written: string, candidates: readonly string[]): string | null {
  if (written.length > 128) return null;
  const bare = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const from = bare(written);
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(from.length / 3)) + 1;
  for (const candidate of candidates) {
    const to = bare(candidate);
    const isBeginning = from.length >= 3 && (to.startsWith(from) || (to.length >= 3 && from.startsWith(to)));
    const distance = isBeginning ? Math.min(1, Math.abs(to.length - from.length)) : editDistance(from, to);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const found = nearest(written, candidates);
  return found === null ? '' : ` (did you mean "${found}"?)`;
}

/** Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforePrevious[column - 2] as number) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] as number;
}
