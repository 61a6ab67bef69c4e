import type { Budgets, BudgetStats } from '#libs/keys-budgets/index.js';
import { gauge } from '#libs/platform/metrics.js';

/** Counters of the budgets since the start of the process, and what each tells. */
const SHOWN: Readonly<Record<keyof BudgetStats, string>> = {
  admitted: 'Calls admitted',
  local: 'Calls admitted without asking Redis',
  refusedByBudget: 'Calls refused because a budget was short',
  refusedByStore: 'Calls refused because they could not be booked',
  turns: 'Messages to the counters in Redis',
  timeouts: 'Messages to the counters without an answer',
  rejoins: 'Generations of counters joined after Redis had lost its memory',
  aboveBound: 'Calls that cost more than their upper bound',
  invalidCosts: 'Costs that were no amounts, booked at the bound',
  failedWrites: 'Turns that the disk of the spool refused',
};

/** Shows what the budgets of this process do; once per process. */
export function observeBudgets({ stats, spool }: Pick<Budgets, 'stats' | 'spool'>): void {
  for (const [name, help] of Object.entries(SHOWN)) {
    const metric = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    gauge(`smartflow_budgets_${metric}`, `${help}, since the start`, () => stats[name as keyof BudgetStats]);
  }
  gauge('smartflow_spool_disk_bytes', 'Bytes of the files of the spool', () => spool.diskBytes);
  gauge('smartflow_spool_held_bytes', 'Bytes of the spool that the ledger has not committed', () => spool.heldBytes);
  gauge(
    'smartflow_spool_unshipped_bytes',
    'Bytes of the spool that are not in the stream',
    () => spool.end - spool.shipped,
  );
}
