import { LOAD_CORE, pin } from './process-cost.js';
import { nginxRow } from './nginx-row.js';
import { productRow } from './product-row.js';
import { scriptRow } from './script-row.js';

/**
 * `d`: bare proxy. `off`: our pipeline without key check and ledger. `governed`: the product. `crowded`: with open streams.
 * `budget`, `budgets`, `strict`: governed, with one budget, six, and six that are all or nothing.
 */
export type RowName = 'nginx' | 'd' | 'off' | 'governed' | 'budget' | 'budgets' | 'strict' | 'archive' | 'crowded';

/** Something that proxies, up and ready for load. */
export interface Row {
  readonly name: RowName;
  readonly port: number;
  /** The key its callers send. */
  readonly key: string;
  /** The process whose time is counted. */
  readonly pid: number;
  /** Its Redis; `null`: it has none. */
  readonly redisPid: number | null;
  /** Holds or lets go what works behind the row on the load's core, where a row has such. */
  hold?(held: boolean): void;
  /** What it has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** How a row comes to life; `null` where it cannot on this machine. */
export interface RowStarter {
  readonly name: RowName;
  start(upstreamPort: number): Promise<Row | null>;
}

/** All rows; the yardstick first. */
export const ROWS: readonly RowStarter[] = [
  scriptRow('d', 'bare-proxy.js'),
  nginxRow,
  scriptRow('off', 'open-gateway.js'),
  productRow('governed', { archive: false, silentStreams: false }),
  productRow('budget', { archive: false, silentStreams: false, budgets: 'one' }),
  productRow('budgets', { archive: false, silentStreams: false, budgets: 'six' }),
  productRow('strict', { archive: false, silentStreams: false, budgets: 'six strict' }),
  productRow('archive', { archive: true, silentStreams: false }),
  productRow('crowded', { archive: false, silentStreams: true }),
];

/** Puts this process, with load and upstream in it, on the load core. What it starts is there too until it is pinned. */
export function pinBench(): boolean {
  return pin(process.pid, LOAD_CORE);
}
