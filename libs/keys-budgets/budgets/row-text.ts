import type { Admission } from './admission.js';

/** `void`: nothing was sent upstream, the ledger leaves it out. */
export type RowState = 'settled' | 'unknown' | 'void';

/**
 * One row as it stands in the spool and in the stream: `i` id, `o` organisation, `p` process, `s` state, `e` bound and `c`
 * cost in nano-dollars, `b` budget fields charged, `u` the usage event. Put together by hand: two per call.
 */
export function rowText(
  admission: Admission,
  processId: string,
  state: RowState,
  costNanos: number,
  event: string,
): string {
  const { id, set, boundNanos, fieldsJson } = admission;
  const head = `{"i":"${id}","o":"${set.org.orgId}","p":"${processId}","s":"${state}","e":${boundNanos},"c":${costNanos}`;
  return `${head},"b":${fieldsJson},"u":${event}}`;
}
