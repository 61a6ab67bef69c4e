import type { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import type { Logger } from '#libs/platform/logger.js';
import { budgetKeys } from '#libs/stores/index.js';
import { type Generation, type LockOptions, underLock } from './generation.postgres.js';
import { type MirroredCeiling, mirrorCeilings } from './mirror.postgres.js';
import { parseLedgerRow, type LedgerRow } from './ledger-row.js';
import {
  bookEnd,
  bookRows,
  readProcess,
  releaseSlices,
  type EndListeners,
  type HeldBy,
  type OnChanges,
} from './process-end.postgres.js';
import { findReconciled, settleUnknown, type ReconciledRow, type TrueCost } from './reconcile.postgres.js';
import { transaction, withConnection } from './sql.postgres.js';
import { sweepOrganisation } from './sweep.postgres.js';

export interface BudgetLedgerOptions {
  readonly source: DataSource;
  /** Purpose `background`. */
  readonly redis: Redis;
  readonly logger: Logger;
  /** Sums of others that move with the rows, in their transaction. */
  readonly onChanges?: OnChanges;
}

/** A living process registers. */
export interface EnteringProcess {
  readonly processId: string;
  readonly seq: number;
  readonly mirrorSeq: number;
  readonly ttlMs: number;
  readonly ceilings: readonly (readonly [field: string, nanos: number])[];
  readonly isNew: boolean;
}

/** When a silent process may be taken for dead. */
export interface Patience {
  /** Length of a process's lease. */
  readonly ttlMs: number;
  /** How long after its lease a process counts as lost with its disk. */
  readonly lostAfterMs: number;
  /** Every batch shipped before this time of the store is in the ledger. */
  readonly committedToMs: number;
}

/** A process that was booked as lost, and who said what it held. */
export interface LostProcess {
  readonly processId: string;
  readonly heldBy: HeldBy;
}

const PART = 500;

/**
 * The durable side of the budgets: who counts by its ceilings and who by its rows. Every operation runs under the
 * organisation's lock, may be repeated, and first finishes what a holder that died left half done.
 */
export class PostgresBudgetLedger {
  readonly #options: BudgetLedgerOptions;
  readonly #listeners: EndListeners;

  constructor(options: BudgetLedgerOptions) {
    this.#options = options;
    this.#listeners = {
      onChanges: options.onChanges ?? (async () => {}),
      onUnfit: (rows) => {
        for (const { row, reason } of rows) {
          const { id, orgId } = row.event;
          options.logger.error(
            { requestId: id, orgId, reason },
            'a row of a spool cannot be described: its money is booked',
          );
        }
      },
    };
  }

  /** A living process brings what it holds: at its start (nothing), and whenever Redis lost its memory. */
  async enter(orgId: string, entry: EnteringProcess): Promise<{ state: 'live'; gen: string } | { state: 'closed' }> {
    const { processId, ceilings } = entry;
    return this.#locked(orgId, async (c) => {
      if (entry.isNew) {
        await c.sql.query(`INSERT INTO budget_processes (org_id, process_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
          orgId,
          processId,
        ]);
        await c.sql.query(`INSERT INTO budget_spools (process_id) VALUES ($1) ON CONFLICT DO NOTHING`, [processId]);
      }
      const process = await readProcess(c.sql, orgId, processId);
      if (process?.state !== 'live') return { state: 'closed' };
      const mirrored = ceilings.map(([field, nanos]) => ({ orgId, field, nanos }));
      await mirrorCeilings(c.sql, processId, entry.mirrorSeq, mirrored);
      for (let i = 0; i === 0 || i < ceilings.length; i += PART) {
        const isLast = i + PART >= ceilings.length;
        const part = ceilings.slice(i, i + PART).flat();
        await c.admin('join', processId, [isLast ? entry.seq : '', entry.ttlMs, ...part]);
      }
      return { state: 'live', gen: c.gen };
    });
  }

  /** A copy of ceilings that moved, of any organisations; what bounds its age is the process and PostgreSQL alone. */
  async mirror(processId: string, seq: number, ceilings: readonly MirroredCeiling[]): Promise<void> {
    await withConnection(this.#options.source, (sql) => mirrorCeilings(sql, processId, seq, ceilings));
  }

  async organisationsOf(processId: string): Promise<readonly string[]> {
    const text = `SELECT org_id FROM budget_processes WHERE process_id = $1`;
    const rows = (await this.#options.source.query(text, [processId])) as { org_id: string }[];
    return rows.map(({ org_id }) => org_id);
  }

  /** False while a lease of the process runs, or may run, in some organisation, by the store's clock. */
  async hasNoLease(processId: string, ttlMs: number): Promise<boolean> {
    const patience = { ttlMs, lostAfterMs: 0, committedToMs: Infinity };
    for (const orgId of await this.organisationsOf(processId)) {
      if (!(await this.#looksSilent(orgId, [processId], patience)).includes(processId)) return false;
      // judged again on a generation known to be this server's: an old snapshot shows old signs of life
      if (!(await this.#locked(orgId, (c) => this.#isSilent(c, processId, patience)))) return false;
    }
    return true;
  }

  /** Every organisation that ever had a process. */
  async organisations(): Promise<readonly string[]> {
    const rows = (await this.#options.source.query(`SELECT org_id FROM budget_generations`)) as { org_id: string }[];
    return rows.map(({ org_id }) => org_id);
  }

  /**
   * Rows of a process that is gone, before {@link close}; any number of times, in parts of bounded size: reading a spool
   * takes longer than the organisation's lock may be held. @param rows JSON texts
   */
  async add(orgId: string, processId: string, rows: readonly string[]): Promise<void> {
    const known = [...this.#parsed(rows)];
    await this.#locked(orgId, (c) =>
      transaction(c.sql, async () => {
        const process = await readProcess(c.sql, orgId, processId);
        await bookRows(c, processId, known, process, this.#listeners);
      }),
    );
  }

  /**
   * A process is gone and its spool was read: its rows and its end are one transaction, then its ceilings give way to the
   * ledger's sums. @param from offset of the spool's first byte; more than the ledger has, or Infinity: pieces are missing
   */
  async close(orgId: string, processId: string, rows: Iterable<string>, from: number): Promise<void> {
    await this.#locked(orgId, async (c) => {
      await transaction(c.sql, async () => {
        const process = await readProcess(c.sql, orgId, processId);
        const lost = process !== null && from > Number(process.acked);
        await bookEnd(c, { processId, rows: this.#parsed(rows), lost }, process, this.#listeners);
      });
      await this.#leave(c, processId);
    });
  }

  /**
   * The true cost of calls that were booked as `unknown`, from the provider's own reports: each row is settled once, sums,
   * roll-ups and counters move by the difference, also while the process that booked it lives. May be repeated.
   * @param costs at most some hundred
   * @returns the rows as they stood before; only `unknown` ones change, and none without `apply`
   */
  async reconcile(
    costs: readonly TrueCost[],
    { apply }: { readonly apply: boolean },
  ): Promise<readonly ReconciledRow[]> {
    const rows = await withConnection(this.#options.source, (sql) => findReconciled(sql, costs));
    if (!apply) return rows;
    const fields = new Map<string, string[]>();
    for (const { orgId, budgets } of rows) fields.set(orgId, [...(fields.get(orgId) ?? []), ...budgets]);
    for (const [orgId, budgets] of fields) {
      await this.#locked(orgId, async (c) => {
        await transaction(c.sql, () => settleUnknown(c.sql, orgId, costs));
        // of rows settled before, too: whoever did that may have died before this
        if (!c.isOpen) return;
        const moved = [...new Set(budgets)];
        await this.#fold(c, moved);
        // a hint: who holds slack there asks again, and hears the new total
        await Promise.all(moved.map((field) => c.redis.publish(c.keys.recall, field)));
      });
    }
    return rows;
  }

  /**
   * Books processes as lost that were silent for `lostAfterMs` beyond their lease and whose spool nobody brought. What
   * they shipped before must be in the ledger (`committedToMs`), or it would count twice. @returns the processes closed
   */
  async closeLost(orgId: string, patience: Patience): Promise<readonly LostProcess[]> {
    const candidates = await this.#silent(orgId, patience);
    const closed: LostProcess[] = [];
    for (const processId of candidates) {
      await this.#locked(orgId, async (c) => {
        // judged again on a generation known to be this server's: an old snapshot shows old signs of life
        if (!(await this.#isSilent(c, processId, patience))) return;
        const heldBy = await transaction(c.sql, async () => {
          const process = await readProcess(c.sql, orgId, processId);
          if (process?.state !== 'live') return null;
          return bookEnd(c, { processId, rows: [], lost: true }, process, this.#listeners);
        });
        await this.#leave(c, processId);
        if (heldBy !== null) closed.push({ processId, heldBy });
      });
    }
    return closed;
  }

  /** Rows of a closed process came late: its sums are set anew. */
  async refold(orgId: string): Promise<void> {
    await this.#locked(orgId, async (c) => {
      if (c.isOpen) await this.#fold(c, null);
    });
  }

  /**
   * Removes what nobody needs any more: keys of older generations, fields of periods that cannot be charged, sums of
   * processes closed long ago (merged into one). Idempotent; once an hour is enough.
   */
  async sweep(orgId: string): Promise<void> {
    await this.#locked(orgId, (c) => sweepOrganisation(c));
  }

  /** `smartflow budgets rebuild`: a new generation, into which the living processes bring what they hold. */
  async rebuild(orgId: string): Promise<{ readonly generation: string }> {
    return this.#locked(orgId, async (c) => ({ generation: c.gen }), { renew: true });
  }

  /**
   * `smartflow spool forget <process>`: the disk of a dead process will not come back, what it held beyond its rows is
   * released. If it did spend that, the cap was passed by as much: the caller says so.
   * @returns nano-dollars released per organisation and budget
   * @throws Error when the process is not known or still alive
   */
  async forget(
    processId: string,
    patience: Pick<Patience, 'ttlMs'>,
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> {
    const orgIds = await this.organisationsOf(processId);
    if (orgIds.length === 0) throw new Error(`no process ${processId} is known to the ledger`);
    const released = new Map<string, ReadonlyMap<string, number>>();
    for (const orgId of orgIds) {
      await this.#locked(orgId, async (c) => {
        await transaction(c.sql, async () => {
          const process = await readProcess(c.sql, orgId, processId);
          if (process?.state === 'live') {
            if (!(await this.#isSilent(c, processId, { ...patience, lostAfterMs: 0, committedToMs: Infinity }))) {
              throw new Error(`process ${processId} is alive: end it first, it gives everything back by itself`);
            }
            await bookEnd(c, { processId, rows: [], lost: true }, process, this.#listeners);
          }
          released.set(orgId, await releaseSlices(c, processId));
        });
        await this.#leave(c, processId);
      });
    }
    return released;
  }

  /** Runs `work` alone in the organisation, after what others left half done is finished. */
  async #locked<T>(orgId: string, work: (c: Generation) => Promise<T>, options: LockOptions = {}): Promise<T> {
    const { source, redis, logger } = this.#options;
    const onNewGeneration = (gen: string): void =>
      logger.warn({ orgId, generation: gen }, 'Redis has other counters than the ledger knows: they are rebuilt');
    return underLock(
      source,
      redis,
      orgId,
      async (c) => {
        await this.#finishClosed(c);
        const result = await work(c);
        if (!c.isOpen) await this.#openIfComplete(c);
        return result;
      },
      { onNewGeneration, ...options },
    );
  }

  /** I4: a closer that died between PostgreSQL and Redis left a process counting twice, by its rows and its ceiling. */
  async #finishClosed(c: Generation): Promise<void> {
    const joined = await c.redis.smembers(c.keys.joined(c.gen));
    if (joined.length === 0) return;
    const closed = await c.sql.query<{ process_id: string }>(
      `SELECT process_id FROM budget_processes WHERE org_id = $1 AND process_id = ANY($2) AND state = 'closed'`,
      [c.orgId, joined],
    );
    for (const { process_id } of closed) await this.#leave(c, process_id);
  }

  /** Ceilings rise again when every process that may hold money has joined or was closed; then the ledger's sums go in. */
  async #openIfComplete(c: Generation): Promise<void> {
    const live = await c.sql.query<{ process_id: string }>(
      `SELECT process_id FROM budget_processes WHERE org_id = $1 AND state = 'live'`,
      [c.orgId],
    );
    for (const { process_id } of live) {
      if ((await c.redis.hexists(c.keys.ceilings(c.gen, process_id), '#')) === 0) return;
    }
    await this.#fold(c, null);
    await c.admin('open', '');
    c.isOpen = true;
  }

  /** Sets what closed processes spent, of periods that can still be charged. */
  async #fold(c: Generation, budgets: readonly string[] | null, processId = ''): Promise<void> {
    const sums = await c.sql.query<{ budget: string; nanos: string }>(
      `SELECT s.budget, sum(s.nanos)::text AS nanos
       FROM budget_spend s LEFT JOIN budget_processes p ON p.org_id = s.org_id AND p.process_id = s.process_id
       WHERE s.org_id = $1 AND NOT s.ended AND p.state IS DISTINCT FROM 'live' AND ($2::text[] IS NULL OR s.budget = ANY($2))
       GROUP BY 1 ORDER BY 1`,
      [c.orgId, budgets],
    );
    for (let i = 0; i < sums.length; i += PART) {
      const part = sums.slice(i, i + PART).flatMap(({ budget, nanos }) => [budget, nanos]);
      await c.admin('fold', processId, part);
    }
  }

  /** Its ceilings give way to the ledger's sums, budget by budget in one step each, then what it held beyond its rows goes. */
  async #leave(c: Generation, processId: string): Promise<void> {
    const touched = await c.sql.query<{ budget: string }>(
      `SELECT budget FROM budget_spend WHERE org_id = $1 AND process_id = $2 AND NOT ended`,
      [c.orgId, processId],
    );
    if (touched.length > 0) {
      await this.#fold(
        c,
        touched.map(({ budget }) => budget),
        processId,
      );
    }
    await c.admin('drop', processId);
  }

  /** Candidates, by a look without the lock: this is asked every second. */
  async #silent(orgId: string, patience: Patience): Promise<readonly string[]> {
    const text = `SELECT process_id FROM budget_processes WHERE org_id = $1 AND state = 'live'`;
    const live = (await this.#options.source.query(text, [orgId])) as { process_id: string }[];
    if (live.length === 0) return [];
    return this.#looksSilent(
      orgId,
      live.map(({ process_id }) => process_id),
      patience,
    );
  }

  async #looksSilent(orgId: string, processIds: readonly string[], patience: Patience): Promise<readonly string[]> {
    const { redis } = this.#options;
    const keys = budgetKeys(orgId);
    const [time, [gen, since]] = await Promise.all([redis.time(), redis.hmget(keys.head, 'gen', 'at')]);
    const nowMs = Number(time[0]) * 1000 + Number(time[1]) / 1000;
    const silent: string[] = [];
    for (const processId of processIds) {
      const until = await redis.hget(keys.ceilings(gen ?? '', processId), '@');
      const untilMs = until === null ? Number(since ?? 0) + patience.ttlMs : Number(until);
      if (isLost(nowMs, untilMs, patience)) silent.push(processId);
    }
    return silent;
  }

  async #isSilent(c: Generation, processId: string, patience: Patience): Promise<boolean> {
    const until = await c.redis.hget(c.keys.ceilings(c.gen, processId), '@');
    return isLost(c.nowMs, until === null ? c.sinceMs + patience.ttlMs : Number(until), patience);
  }

  *#parsed(rows: Iterable<string>): Generator<LedgerRow> {
    for (const json of rows) {
      const parsed = parseLedgerRow(json);
      if ('refused' in parsed)
        this.#options.logger.error({ reason: parsed.refused, row: json }, 'a row of a spool cannot be read');
      else if (parsed.row !== null) yield parsed.row;
    }
  }
}

/** @param untilMs end of the process's lease: nothing it shipped is younger */
function isLost(nowMs: number, untilMs: number, { lostAfterMs, committedToMs }: Patience): boolean {
  return nowMs > untilMs + lostAfterMs && committedToMs > untilMs;
}
