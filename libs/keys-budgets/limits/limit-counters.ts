/** What one process asks of the counters of one rate (requests or tokens) of one scope. */
export interface RateAsk {
  readonly limit: number;
  /** Units that calls wait for. */
  readonly need: number;
  /** Units to have in hand for calls to come. */
  readonly want: number;
  /** Corrections: units to add to, or with a minus to take from, what was counted in a second of store time; 0: now. */
  readonly fixes: readonly (readonly [second: number, units: number])[];
}

/** What one process says of, and asks for, the slots of one scope. */
export interface SlotAsk {
  readonly limit: number;
  /** Slots the process keeps: those in use and some idle ones. Absolute, so that a resend does no harm. */
  readonly hold: number;
  readonly need: number;
  readonly want: number;
}

/** Everything about one scope in one message; `null` where there is no limit or nothing to say. */
export interface LimitAsk {
  readonly scopeId: string;
  readonly requests: RateAsk | null;
  readonly tokens: RateAsk | null;
  readonly slots: SlotAsk | null;
}

export interface RateAnswer {
  /** Of `need` and `want` together, counted from now on. */
  readonly granted: number;
  /** What nobody has taken in the last 60 seconds. */
  readonly left: number;
  /** How long until something is left, ms; 0 when all that was needed was granted. */
  readonly waitMs: number;
}

export interface SlotAnswer {
  /** All the process may use from now on. */
  readonly ceiling: number;
  /** Slots that no process holds. */
  readonly free: number;
}

export interface LimitAnswer {
  readonly requests: RateAnswer | null;
  readonly tokens: RateAnswer | null;
  readonly slots: SlotAnswer | null;
}

export interface LimitReply {
  /** Store time, ms since 1970. */
  readonly nowMs: number;
  /** Processes that have spoken lately, this one included. */
  readonly replicas: number;
  /** Another one than before: the counters have lost their memory. */
  readonly epoch: string;
  /** The process was not known: what it held may have been given to others. */
  readonly joined: boolean;
  /** In the order of the asks. */
  readonly answers: readonly LimitAnswer[];
}

export interface LimitMessage {
  readonly orgId: string;
  readonly processId: string;
  /** Rises with every message of the process: an older one that arrives late is ignored. */
  readonly seq: number;
  readonly asks: readonly LimitAsk[];
}

/** The counters that all processes share. */
export interface LimitCounters {
  /** One message, one answer; also says that the process lives. Rejects when the store does not answer in time. */
  run(message: LimitMessage): Promise<LimitReply>;
}

/**
 * A process that is silent for so long has ended: its slots are free. One that was only frozen says on return what it uses,
 * and that counts, even above the limit, until it is done.
 */
export const SILENT_MS = 6_000;
/** A lease is used up within so long, or not at all. */
export const LEASE_MS = 1_000;
/**
 * Seconds that are added up, the running one included. What is used at one moment was counted up to `LEASE_MS` before, so
 * with 60 + 1 whole seconds and the running one no 60 seconds ever see more than the limit.
 */
export const WINDOW_S = 62;
