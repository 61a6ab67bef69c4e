/** Nest token of the `AlertOutbox`. */
export const ALERT_OUTBOX = Symbol('AlertOutbox');
