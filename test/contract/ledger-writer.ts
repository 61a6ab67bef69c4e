// Writes calls into the ledger as the worker does, and ships them as a gateway does.
import type { UsageEvent } from '#libs/ledger/index.js';
import { RedisBudgetCounters } from '#libs/keys-budgets/index.js';
import { idTimeMs, newId } from '#libs/platform/ids.js';
import type { TablePartitions } from '#libs/stores/index.js';
import { commitRows } from '../../libs/ledger/budgets/commit-rows.postgres.js';
import type { LedgerRow } from '../../libs/ledger/budgets/ledger-row.js';
import { transaction, withConnection } from '../../libs/ledger/budgets/sql.postgres.js';
import type { Redis, Source } from './ledger-rig.js';

/** Rows of calls, as they are committed with their sums. */
export class LedgerWriter {
  readonly #source: Source;
  readonly #partitions: TablePartitions;

  constructor(source: Source, partitions: TablePartitions) {
    this.#source = source;
    this.#partitions = partitions;
  }

  async insert(
    events: readonly UsageEvent[],
    state: LedgerRow['state'] = 'settled',
  ): Promise<{ readonly inserted: number; readonly replaced: number }> {
    const times = events.map(({ id }) => idTimeMs(id) as number);
    await this.#partitions.ensure(
      times.reduce((a, b) => Math.min(a, b)),
      times.reduce((a, b) => Math.max(a, b)),
    );
    const rows = events.map((event): LedgerRow => ({ state, processId: 'test', boundNanos: 0, budgets: [], event }));
    return withConnection(this.#source, (sql) =>
      transaction(sql, async () => {
        const { inserted, replaced } = await commitRows(sql, rows);
        return { inserted: inserted.length, replaced: replaced.length };
      }),
    );
  }
}

/** One row as the spool and the stream carry it. */
export function rowText(event: UsageEvent, processId: string): string {
  const { id, orgId, costNanos, ...described } = event;
  return JSON.stringify({
    i: id,
    o: orgId,
    p: processId,
    s: 'settled',
    e: costNanos,
    c: costNanos,
    b: [],
    u: described,
  });
}

/** A gateway's way into the stream of rows. */
export class RowSender {
  readonly processId = newId('inst');
  readonly #counters: RedisBudgetCounters;
  #run = '';
  #offset = 0;

  /** @param redis any connection that is ready; it subscribes to nothing */
  constructor(redis: Redis) {
    this.#counters = new RedisBudgetCounters(redis, redis);
  }

  /** Ships rows, given as lines, as one batch. */
  async ship(rows: readonly string[]): Promise<void> {
    const text = rows.join('\n');
    for (;;) {
      const to = this.#offset + Buffer.byteLength(text) + 1;
      const batch = { run: this.#run, processId: this.processId, from: this.#offset, to, rows: text };
      const reply = await this.#counters.ship(batch);
      if (reply.status === 'OK') {
        this.#offset = to;
        return;
      }
      this.#run = reply.run;
    }
  }

  /** In batches as a busy gateway makes them. */
  async send(events: readonly UsageEvent[]): Promise<void> {
    for (let i = 0; i < events.length; i += 500) {
      await this.ship(events.slice(i, i + 500).map((event) => rowText(event, this.processId)));
    }
  }
}
