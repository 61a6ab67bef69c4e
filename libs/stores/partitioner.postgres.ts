import type { DataSource, QueryRunner } from 'typeorm';
import { changePartitions, plainName } from './partition-transaction.js';
import type { PartitionPeriod, PremakeResult, TimePartitioner } from './time-partitioner.js';

const PREMADE_DAYS = 7;
/** Rows that came while their partition was missing are given one; so many partitions at once, the rest next time. */
const MOST_STRAY_PERIODS = 400;
/** `cover` looks no further than this from now. */
const COVERED_PERIODS = 35;
const DAY_MS = 86_400_000;

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Native RANGE partitions `<table>_p20261121` (or `_p202611`), made ahead, over a DEFAULT that catches what is outside. */
export class NativePartitioner implements TimePartitioner {
  readonly level = 'native';
  readonly #source: DataSource | QueryRunner;
  readonly #period: PartitionPeriod;
  readonly #now: () => number;

  constructor(source: DataSource | QueryRunner, period: PartitionPeriod, now: () => number = Date.now) {
    this.#source = source;
    this.#period = period;
    this.#now = now;
  }

  async ensure(table: string): Promise<void> {
    plainName(table);
    await changePartitions(this.#source, table, async (sql) => {
      const kind = (await sql.query(`SELECT relkind::text AS kind FROM pg_class WHERE oid = $1::regclass`, [
        table,
      ])) as {
        kind: string;
      }[];
      if (kind[0]?.kind !== 'p')
        throw new Error(`table ${table} is not partitioned: create it with PARTITION BY RANGE (ts)`);
      if ((await defaultPartition(sql, table)) === null) {
        await sql.query(`CREATE TABLE ${table}_default PARTITION OF ${table} DEFAULT`);
      }
    });
    await this.premake(table, PREMADE_DAYS);
  }

  async premake(table: string, days: number): Promise<PremakeResult> {
    plainName(table);
    const nowMs = this.#now();
    const untilMs = nowMs + days * DAY_MS;
    const spans = [...this.#spansOf(nowMs, untilMs), ...(await this.#strays(table, untilMs))];
    const made = await this.#makeMissing(table, spans);
    return { made, strays: await countStrays(this.#source, table) };
  }

  async cover(table: string, fromMs: number, toMs: number): Promise<void> {
    plainName(table);
    const nowMs = this.#now();
    const periodMs = this.#period === 'month' ? 31 * DAY_MS : DAY_MS;
    const first = Math.max(fromMs, nowMs - COVERED_PERIODS * periodMs);
    const last = Math.min(toMs, nowMs + COVERED_PERIODS * DAY_MS);
    await this.#makeMissing(table, this.#spansOf(first, last));
  }

  async dropBefore(table: string, ms: number): Promise<number> {
    plainName(table);
    const old = (await readPartitions(this.#source, table)).filter((partition) => partition.toMs <= ms);
    for (const { name } of old) {
      await changePartitions(this.#source, table, (sql) => sql.query(`DROP TABLE IF EXISTS ${name}`));
    }
    return old.length;
  }

  async #makeMissing(table: string, spans: readonly Span[]): Promise<string[]> {
    const present = await readPartitions(this.#source, table);
    const made: string[] = [];
    for (const span of spans.filter((wanted) => !present.some((partition) => overlap(partition, wanted)))) {
      const name = await changePartitions(this.#source, table, (sql) => this.#make(sql, table, span));
      if (name !== null) made.push(name);
    }
    return made;
  }

  /** The periods of rows that came while their partition was missing. */
  async #strays(table: string, untilMs: number): Promise<Span[]> {
    const name = await defaultPartition(this.#source, table);
    if (name === null) return [];
    const rows = (await this.#source.query(
      `SELECT extract(epoch FROM date_trunc('${this.#period}', ts, 'UTC')) * 1000 AS ms
       FROM ${name} WHERE ts < $1 GROUP BY 1 ORDER BY 1 LIMIT ${MOST_STRAY_PERIODS}`,
      [new Date(untilMs)],
    )) as { ms: string }[];
    return rows.map((row) => this.#spanOf(Number(row.ms)));
  }

  /**
   * A partition is built as a table of its own and then attached, so that rows waiting in DEFAULT can move in first.
   * Inserts wait for these milliseconds: one that had already chosen DEFAULT would break on its new bounds.
   */
  async #make(sql: QueryRunner, table: string, span: Span): Promise<string | null> {
    const present = await readPartitions(sql, table);
    if (present.some((partition) => overlap(partition, span))) return null;
    const name = `${table}_p${this.#suffix(span.fromMs)}`;
    const [from, to] = [isoTime(span.fromMs), isoTime(span.toMs)];
    const fallback = await defaultPartition(sql, table);
    await sql.query(`CREATE TABLE ${name} (LIKE ${table} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS)`);
    if (fallback !== null) {
      await sql.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
      await sql.query(`LOCK TABLE ${fallback} IN ACCESS EXCLUSIVE MODE`);
      await sql.query(
        `WITH moved AS (DELETE FROM ${fallback} WHERE ts >= '${from}' AND ts < '${to}' RETURNING *)
         INSERT INTO ${name} SELECT * FROM moved`,
      );
    }
    await sql.query(`ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`);
    return name;
  }

  #spansOf(fromMs: number, toMs: number): Span[] {
    const spans: Span[] = [];
    for (let span = this.#spanOf(fromMs); span.fromMs <= toMs; span = this.#spanOf(span.toMs)) spans.push(span);
    return spans;
  }

  #spanOf(ms: number): Span {
    const at = new Date(ms);
    const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
    if (this.#period === 'month') return { fromMs: Date.UTC(year, month), toMs: Date.UTC(year, month + 1) };
    return { fromMs: Date.UTC(year, month, at.getUTCDate()), toMs: Date.UTC(year, month, at.getUTCDate() + 1) };
  }

  #suffix(ms: number): string {
    return new Date(ms)
      .toISOString()
      .slice(0, this.#period === 'month' ? 7 : 10)
      .replaceAll('-', '');
  }
}

type Sql = Pick<QueryRunner, 'query'> | DataSource;

async function defaultPartition(sql: Sql, table: string): Promise<string | null> {
  const rows = (await sql.query(
    `SELECT c.oid::regclass::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = $1::regclass AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'`,
    [table],
  )) as { name: string }[];
  return rows[0]?.name ?? null;
}

/** Every partition but DEFAULT, with its bounds. */
async function readPartitions(sql: Sql, table: string): Promise<(Span & { readonly name: string })[]> {
  const bound = (word: string): string =>
    `extract(epoch FROM (regexp_match(bound, '${word} \\(''([^'']+)''\\)'))[1]::timestamptz) * 1000`;
  const rows = (await sql.query(
    `SELECT name, ${bound('FROM')} AS from_ms, ${bound('TO')} AS to_ms FROM (
       SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass
     ) partitions WHERE bound LIKE 'FOR VALUES FROM (''%'') TO (''%'')'`,
    [table],
  )) as { name: string; from_ms: string; to_ms: string }[];
  return rows.map((row) => ({ name: row.name, fromMs: Number(row.from_ms), toMs: Number(row.to_ms) }));
}

async function countStrays(sql: Sql, table: string): Promise<number> {
  const name = await defaultPartition(sql, table);
  if (name === null) return 0;
  const rows = (await sql.query(`SELECT count(*)::int AS n FROM ${name}`)) as { n: number }[];
  return rows[0]?.n ?? 0;
}

function overlap(a: Span, b: Span): boolean {
  return a.fromMs < b.toMs && b.fromMs < a.toMs;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
