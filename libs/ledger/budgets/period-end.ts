const DAY_MS = 86_400_000;
/** The last zone begins its day 12 hours after UTC. */
const LAST_ZONE_MS = 12 * 3_600_000;
/** A call is charged to the period in which it began; no call lasts longer than a day, and rows may wait in a spool. */
const GRACE_MS = 2 * DAY_MS;

/**
 * From when on a budget's field `<budget>|<period>` is charged no more, whatever the zone: ms since 1970. Infinity for a
 * lifetime and for every name that is not one of a period (`d2026-11-21`, `w2026-11-16`, `m2026-11`).
 */
export function chargedUntilMs(field: string): number {
  const match = /\|([dwm])(\d{4})-(\d\d)(?:-(\d\d))?$/.exec(field);
  if (match === null) return Infinity;
  const [, kind, year, month, day] = match;
  if ((kind === 'm') !== (day === undefined)) return Infinity;
  const next = kind === 'm' ? Date.UTC(Number(year), Number(month), 1) : null;
  const first = Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1));
  return (next ?? first + (kind === 'w' ? 7 : 1) * DAY_MS) + LAST_ZONE_MS + GRACE_MS;
}
