// The entry of the egress part: the only way out for HTTP besides the upstream pools, which use the same connector.
export { guardedConnector } from './egress/connector.js';
export type { GuardedConnectorOptions, LookupAll } from './egress/connector.js';
export { allowEntryFor, EgressPolicy } from './egress/policy.js';
export type { EgressVerdict } from './egress/policy.js';
export { EgressRefused } from './egress/refused.js';
export { EgressClient } from './egress/client.js';
export type { EgressAnswer, EgressClientOptions, EgressRequest } from './egress/client.js';
