// What a run is told, and what it counts.
import type { RedisKind } from './redis-server.js';

/** What the command line chose. */
export interface Options {
  readonly seconds: number;
  readonly dir: string;
  readonly gateways: number;
  readonly callers: number;
  readonly redisServer: string;
  readonly redisPort: number;
  readonly kind: RedisKind | 'both';
  readonly isStrict: boolean;
  readonly isLeased: boolean;
  readonly freezeMs: number;
  readonly thinkMs: number;
  /** A process that is silent for so long beyond its lease counts as lost (see also PatientKeeper). */
  readonly lostAfterMs: number;
  /** Shell command that crashes PostgreSQL and starts it again; null: never. */
  readonly pgCrash: string | null;
  /** Also Redis' memory and a disk lost together, where the cap is not proven. */
  readonly doubleFailure: boolean;
  readonly verbose: boolean;
}

export interface Totals {
  seeds: number;
  calls: number;
  rows: number;
  unknown: number;
  slices: number;
  gatewayKills: number;
  disksLost: number;
  workerKills: number;
  pauses: number;
  redisCrashes: Record<string, number>;
  redisFreezes: number;
  pgCrashes: number;
  checks: number;
  probes: number;
  violations: { readonly what: string; readonly [detail: string]: unknown }[];
}
