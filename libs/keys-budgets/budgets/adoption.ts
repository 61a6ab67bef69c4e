import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '#libs/platform/logger.js';
import type { BudgetLedger } from './budget-counters.js';
import { isBeingMade, isOwnerAlive } from './spool-folder.js';
import { recoverSpool } from './spool-recovery.js';

export interface Adoption {
  readonly root: string;
  /** Processes whose folders are not to be touched: ourselves. */
  readonly own: string;
  readonly ledger: BudgetLedger;
  readonly logger: Logger;
}

/** A folder half made is left alone for so long. */
const MAKING_MS = 5000;

/**
 * Takes over the spools in `root` whose processes are gone: their rows go into the ledger, unfinished calls as `unknown` at
 * their bound, and the rest of what they owned is free again. Money comes back by this evidence, never by a clock. Two that
 * adopt the same spool do no harm: each row counts once. Only for folders of this machine: the socket is local.
 * @returns how many were adopted
 */
export async function adoptSpools({ root, own, ledger, logger }: Adoption): Promise<number> {
  let adopted = 0;
  for (const name of readdirSync(root)) {
    const dir = path.join(root, name);
    if (name === own || (isBeingMade(name) && ageMs(dir) < MAKING_MS) || (await isOwnerAlive(dir))) continue;
    try {
      if (!isBeingMade(name)) await adopt(name, dir, ledger, logger);
      rmSync(dir, { recursive: true, force: true });
      adopted += 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // somebody else was first
    }
  }
  return adopted;
}

async function adopt(processId: string, dir: string, ledger: BudgetLedger, logger: Logger): Promise<void> {
  const spool = recoverSpool(dir);
  const orgIds = new Set([...(await ledger.organisationsOf(processId)), ...spool.orgIds]);
  if (spool.fault !== null) {
    logger.error(
      { processId, fault: spool.fault },
      'a spool is damaged: what its process held beyond its rows stays booked',
    );
  }
  for (const orgId of orgIds) await ledger.close(orgId, processId, spool.rows(orgId), spool.from);
  logger.info({ processId, organisations: orgIds.size }, 'the spool of a process that is gone was taken over');
}

function ageMs(dir: string): number {
  try {
    return Date.now() - statSync(dir).mtimeMs;
  } catch {
    return 0;
  }
}
