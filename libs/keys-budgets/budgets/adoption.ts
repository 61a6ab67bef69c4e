import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '#libs/platform/logger.js';
import type { BudgetLedger } from './budget-counters.js';
import { isBeingMade, isOfThisKernel, isOwnerAlive } from './spool-folder.js';
import { recoverSpool, type RecoveredSpool } from './spool-recovery.js';

/** A folder that could not be taken over. */
export interface FailedAdoption {
  tries: number;
  /** Monotonic ms before which it is left alone. */
  untilMs: number;
}

export interface Adoption {
  readonly root: string;
  /** Processes whose folders are not to be touched: ourselves. */
  readonly own: string;
  readonly ledger: BudgetLedger;
  /** Length of a lease. */
  readonly ttlMs: number;
  readonly logger: Logger;
  /** Folders that failed before, by name; kept by the caller from one look to the next. */
  readonly failed?: Map<string, FailedAdoption>;
}

/** A folder half made is left alone for so long. */
const MAKING_MS = 5000;
/** A folder that failed is tried again after the first pause, then after twice as long, up to the longest. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** Rows handed to the ledger at once; what waits for that is bounded by both. */
const PART_ROWS = 500;
const PART_CHARS = 4 * 1024 * 1024;

/**
 * Takes over the spools in `root` whose processes are gone: their rows go into the ledger, unfinished calls as `unknown` at
 * their bound, and the rest of what they owned is free again. Money comes back by this evidence, never by a clock. Two that
 * adopt the same spool do no harm: each row counts once. A folder that fails is named in the log, stays, and is tried again
 * later; the others do not wait for it.
 *
 * A folder of this machine's present life is adopted at once. Any other (a shared volume, a machine that was restarted)
 * waits until the process's lease is over: there the socket proves nothing.
 * @returns how many were adopted
 */
export async function adoptSpools(adoption: Adoption): Promise<number> {
  const { root, own, logger, failed = new Map<string, FailedAdoption>() } = adoption;
  let adopted = 0;
  const names = readdirSync(root);
  for (const name of failed.keys()) if (!names.includes(name)) failed.delete(name);
  for (const name of names) {
    const before = failed.get(name);
    if (name === own || (before !== undefined && performance.now() < before.untilMs)) continue;
    try {
      if (await adoptFolder(name, adoption)) adopted += 1;
      failed.delete(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue; // somebody else was first
      const tries = (before?.tries ?? 0) + 1;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
      failed.set(name, { tries, untilMs: performance.now() + pauseMs });
      if (tries === 1) {
        logger.error(
          { err: error, folder: path.join(root, name) },
          'the spool of a dead process could not be taken over yet, trying again',
        );
      }
    }
  }
  return adopted;
}

async function adoptFolder(name: string, { root, ledger, ttlMs, logger }: Adoption): Promise<boolean> {
  const dir = path.join(root, name);
  if ((isBeingMade(name) && ageMs(dir) < MAKING_MS) || (await isOwnerAlive(dir))) return false;
  if (!isBeingMade(name)) {
    if (!isOfThisKernel(dir) && !(await ledger.hasNoLease(name, ttlMs))) return false;
    await adopt(name, dir, ledger, logger);
  }
  rmSync(dir, { recursive: true, force: true });
  return true;
}

/** First its rows, part by part, while it still counts by its ceilings; then its end. Killed in between, all comes again. */
async function adopt(processId: string, dir: string, ledger: BudgetLedger, logger: Logger): Promise<void> {
  const known = await ledger.organisationsOf(processId); // asked first: a ledger that is away costs no reading
  const spool = await recoverSpool(dir);
  if (spool.fault !== null) {
    logger.error(
      { processId, fault: spool.fault },
      'a spool is damaged: what its process held beyond its rows stays booked',
    );
  }
  await addRows(processId, spool, ledger);
  const orgIds = new Set([...known, ...spool.orgIds]);
  for (const orgId of orgIds) await ledger.close(orgId, processId, [], spool.from);
  logger.info({ processId, organisations: orgIds.size }, 'the spool of a process that is gone was taken over');
}

async function addRows(processId: string, spool: RecoveredSpool, ledger: BudgetLedger): Promise<void> {
  const waiting = new Map<string, string[]>();
  let [rows, chars] = [0, 0];
  const add = async (): Promise<void> => {
    for (const [orgId, part] of waiting) await ledger.add(orgId, processId, part);
    waiting.clear();
    [rows, chars] = [0, 0];
  };
  for await (const { orgId, json } of spool.rows()) {
    const part = waiting.get(orgId);
    if (part === undefined) waiting.set(orgId, [json]);
    else part.push(json);
    rows += 1;
    chars += json.length;
    if (rows >= PART_ROWS || chars >= PART_CHARS) await add();
  }
  await add();
}

function ageMs(dir: string): number {
  try {
    return Date.now() - statSync(dir).mtimeMs;
  } catch {
    return 0;
  }
}
