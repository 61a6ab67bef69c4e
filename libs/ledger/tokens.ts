/** Nest token of the port the log is read through. */
export const USAGE_LOG = Symbol('UsageLog');
