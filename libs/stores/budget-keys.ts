/**
 * Names of the budget counters in Redis, known to the gateways that move them and to the ledger that rebuilds them. All
 * keys of one organisation share a hash tag, so that one script may touch them in a cluster. `gen` is the generation: a
 * Redis that lost its memory is never repaired, it gets new key names.
 */
export interface BudgetKeys {
  /** Hash `run`, `gen`, `open`, `fence`, `at`: which life of which server these counters belong to. */
  readonly head: string;
  /** Channel on which the script says of which budget somebody is short. */
  readonly recall: string;
  /** Hash `<budget>|<period>` → total committed, in nano-dollars. `#` marks that the hash was made. */
  totals(gen: string): string;
  /** Hash of one process: same fields → its ceiling; `#` last sequence number, `@` end of its lease (store time, ms). */
  ceilings(gen: string, processId: string): string;
  /** Hash: what closed processes spent by the ledger's sums. */
  closed(gen: string): string;
  /** Set of the processes that have joined the generation. */
  joined(gen: string): string;
  /** Glob over all keys of one generation. */
  ofGeneration(gen: string): string;
}

/** @param orgId without braces, so that the hash tag is the id alone */
export function budgetKeys(orgId: string): BudgetKeys {
  const base = `sf:{${orgId}}:budgets`;
  return {
    head: base,
    recall: `${base}:recall`,
    totals: (gen) => `${base}:${gen}:totals`,
    ceilings: (gen, processId) => `${base}:${gen}:p:${processId}`,
    closed: (gen) => `${base}:${gen}:p:~closed`,
    joined: (gen) => `${base}:${gen}:joined`,
    ofGeneration: (gen) => `sf:{${orgId.replace(/[*?[\]\\]/g, '\\$&')}}:budgets:${gen}:*`,
  };
}

/** Finished rows of all organisations on their way from the spools to the ledger; one stream for the installation. */
export const ROW_STREAM = 'sf:{rows}:stream';
/** Hash: process → bytes of its spool that the ledger has committed. */
export const ROW_ACKS = 'sf:{rows}:acks';
