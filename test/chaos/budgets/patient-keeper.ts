// Ten minutes of patience in a proof of seconds: a spool that is there is not lost, however late a starved neighbour reads it.
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Redis } from 'ioredis';
import type { Patience, PostgresBudgetLedger, RowDrain } from '#libs/ledger/index.js';
import { budgetKeys } from '#libs/stores/index.js';

type KeeperOfDrain = RowDrain['keeper'];

interface Source {
  query(text: string, values: readonly unknown[]): Promise<unknown>;
}

/**
 * The keeper of the ledger, except that no process is booked from the mirror while its spool is there: Redis' memory and a
 * spool away at once is the double failure, and the proof must not cause it by a patience shorter than the machine is slow.
 * A Redis that forgets after the look begins its processes' patience anew, so none is booked by what was seen here.
 */
export class PatientKeeper implements KeeperOfDrain {
  readonly #ledger: PostgresBudgetLedger;
  readonly #source: Source;
  readonly #redis: Redis;
  readonly #spoolRoot: string;

  constructor(ledger: PostgresBudgetLedger, source: Source, redis: Redis, spoolRoot: string) {
    this.#ledger = ledger;
    this.#source = source;
    this.#redis = redis;
    this.#spoolRoot = spoolRoot;
  }

  organisations(): Promise<readonly string[]> {
    return this.#ledger.organisations();
  }

  refold(orgId: string): Promise<void> {
    return this.#ledger.refold(orgId);
  }

  sweep(orgId: string): Promise<void> {
    return this.#ledger.sweep(orgId);
  }

  async closeLost(orgId: string, patience: Patience): ReturnType<PostgresBudgetLedger['closeLost']> {
    const text = `SELECT process_id FROM budget_processes WHERE org_id = $1 AND state = 'live'`;
    const live = (await this.#source.query(text, [orgId])) as { process_id: string }[];
    const keys = budgetKeys(orgId);
    const gen = (await this.#redis.hget(keys.head, 'gen')) ?? '';
    for (const { process_id } of live) {
      const isKnown = (await this.#redis.hexists(keys.ceilings(gen, process_id), '#')) === 1;
      if (!isKnown && existsSync(path.join(this.#spoolRoot, process_id))) return [];
    }
    return this.#ledger.closeLost(orgId, patience);
  }
}
