/** Nest token of the port the log is read through. */
export const USAGE_LOG = Symbol('UsageLog');
/** Nest token of the port that reports are made through. */
export const SPEND_REPORTS = Symbol('SpendReports');
/** Nest token of the `Clock`. */
export const LEDGER_CLOCK = Symbol('LedgerClock');
/** Nest token of the {@link ZoneOfOrg}. */
export const ZONE_OF_ORG = Symbol('ZoneOfOrg');

/** IANA zone in which an organisation's days begin; asked at each report. */
export type ZoneOfOrg = (orgId: string) => string;
