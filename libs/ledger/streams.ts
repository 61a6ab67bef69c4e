/** The Redis streams between gateways and workers; they belong to the installation, each event names its organisation. */
export const BODY_STREAM = 'sf:bodies';
/** The consumer group in which the workers share a stream. */
export const WORKER_GROUP = 'ledger';
