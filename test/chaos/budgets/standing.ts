// What Redis and the ledger's mirror know of a process that was killed: whether its disk may be taken.
import type { Redis } from 'ioredis';
import { budgetKeys } from '#libs/stores/index.js';
import type { Query } from './ledger-check.js';

/** Of one process in one organisation in which it is not closed yet. */
export interface Standing {
  readonly orgId: string;
  /** Redis, in its present memory, has everything that it holds. */
  readonly isKnown: boolean;
  /** The mirror says the same: what it holds outlives Redis' memory, too. */
  readonly isMirrored: boolean;
  /** Sum of what the mirror says too little and too much, nano-dollars. */
  readonly belowNanos: number;
  readonly aboveNanos: number;
}

const CEILINGS = `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local h = redis.call('HMGET', KEYS[1], 'run', 'gen')
if h[1] ~= run then return {} end
return redis.call('HGETALL', KEYS[1] .. ':' .. h[2] .. ':p:' .. ARGV[1])`;

/** @returns one per organisation that counts the process as living; `null` when Redis cannot be asked */
export async function standingOf(redis: Redis, query: Query, processId: string): Promise<Standing[] | null> {
  const text = `SELECT org_id FROM budget_processes WHERE state = 'live' AND process_id = $1`;
  const standings: Standing[] = [];
  for (const { org_id } of await query(text, [processId])) {
    const orgId = String(org_id);
    const flat = (await redis.eval(CEILINGS, 1, budgetKeys(orgId).head, processId).catch(() => null)) as
      string[] | null;
    if (flat === null) return null;
    const held = new Map<string, number>();
    for (let i = 0; i < flat.length; i += 2) held.set(flat[i] as string, Number(flat[i + 1]));
    const isKnown = held.delete('#');
    held.delete('@');
    const mirror = `SELECT budget, ceiling FROM budget_leases WHERE org_id = $1 AND process_id = $2`;
    const said = await query(mirror, [orgId, processId]);
    const mirrored = new Map(said.map((row) => [String(row['budget']), Number(row['ceiling'])]));
    const gaps = [...new Set([...held.keys(), ...mirrored.keys()])].map(
      (field) => (held.get(field) ?? 0) - (mirrored.get(field) ?? 0),
    );
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    standings.push({
      orgId,
      isKnown,
      isMirrored: isKnown && gaps.every((gap) => gap === 0),
      belowNanos: sum(gaps.filter((gap) => gap > 0)),
      aboveNanos: -sum(gaps.filter((gap) => gap < 0)),
    });
  }
  return standings;
}
