/** Answer to one message of a process about one organisation. */
export type TurnReply =
  | {
      readonly status: 'OK';
      /** Store time, ms since 1970. */
      readonly nowMs: number;
      /** False while a new generation waits for processes to join: no ceiling rises. */
      readonly open: boolean;
      /** Per account sent: its ceiling and the total, alternating. */
      readonly values: readonly number[];
      /** Per request: what it got, or −n when account number n (from 1) was short. */
      readonly grants: readonly number[];
    }
  /** GEN: another server life. OUT: this process was closed. OLD: a later message was here before. */
  | { readonly status: 'GEN' | 'OUT' | 'OLD' };

export type ShipReply =
  | { readonly status: 'OK'; readonly acked: number }
  /** The stream lives in another server life than the process thought: what was not committed may be gone. */
  | { readonly status: 'RUN'; readonly run: string };

export interface Shipment {
  /** The server life in which the process believes the stream to be; '' at first. */
  readonly run: string;
  readonly processId: string;
  readonly from: number;
  readonly to: number;
  readonly rows: string;
}

/** The shared counters: where ceilings move. Every method rejects when the store does not answer in time. */
export interface BudgetCounters {
  /** @param args as `turn.lua` wants them */
  turn(orgId: string, gen: string, processId: string, args: readonly (string | number)[]): Promise<TurnReply>;
  ship(shipment: Shipment): Promise<ShipReply>;
  /** Calls `listener` with the field of each budget of which somebody is short; a hint that may be lost. */
  onRecall(orgId: string, listener: (field: string) => void): void;
  /** Rejects with a sentence for the operator when this store cannot hold budgets. */
  check(): Promise<void>;
}

/** Answer to a process that registers. */
export type EnterReply = { readonly state: 'live'; readonly gen: string } | { readonly state: 'closed' };

export interface Entry {
  readonly processId: string;
  /** Number of its last message to the counters. */
  readonly seq: number;
  readonly mirrorSeq: number;
  readonly ttlMs: number;
  /** What it owns, whatever the limits. */
  readonly ceilings: readonly (readonly [field: string, nanos: number])[];
  /** First time in this organisation. */
  readonly isNew: boolean;
}

/** What a process may spend of one budget and period, by the last answer of the counters. */
export interface HeldCeiling {
  readonly orgId: string;
  readonly field: string;
  readonly nanos: number;
}

/** The durable side, as the gateway needs it (bound to the ledger in apps). */
export interface BudgetLedger {
  /** Registers a living process with what it owns: at its start (nothing), and whenever the store lost its memory. */
  enter(orgId: string, entry: Entry): Promise<EnterReply>;
  /** A copy of ceilings that moved, of any organisations. @param seq a lower number never replaces a higher one */
  mirror(processId: string, seq: number, ceilings: readonly HeldCeiling[]): Promise<void>;
  /** Organisations in which a process was ever registered. */
  organisationsOf(processId: string): Promise<readonly string[]>;
  /** False while a lease of the process runs, or may run, somewhere. */
  hasNoLease(processId: string, ttlMs: number): Promise<boolean>;
  /**
   * Rows (JSON texts from its spool) of a process that is gone, before its end; any number of times. One that can never be
   * stored does not hold up the others.
   */
  add(orgId: string, processId: string, rows: readonly string[]): Promise<void>;
  /**
   * Ends a process in one organisation: its rows (JSON texts from its spool) and its end in one transaction, then its
   * ceilings give way to the ledger's sums. @param from first byte that its spool still had; Infinity: pieces are missing
   */
  close(orgId: string, processId: string, rows: Iterable<string>, from: number): Promise<void>;
}
