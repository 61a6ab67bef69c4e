import { appendAudit, DEFAULT_ORG_ID } from '#libs/registry/index.js';
import type { connectPostgres } from '#libs/stores/index.js';

type Source = Awaited<ReturnType<typeof connectPostgres>>;

/** A correction of what calls cost, made from the command line. */
export interface Correction {
  /** Such as `ledger.recost`. */
  readonly action: string;
  /** What is corrected, in words: a range of days, a request. */
  readonly what: string;
  /** JSON: what was asked for. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Leaves an entry in the audit chain, before anything is changed: a correction that breaks off is on record too. */
export async function noteCorrection(source: Source, { action, what, details }: Correction): Promise<void> {
  const actor = { kind: 'system', id: 'cli', name: 'command line' } as const;
  const entry = {
    orgId: DEFAULT_ORG_ID,
    action,
    objectKind: 'ledger',
    objectId: what,
    objectName: what,
    version: null,
    before: null,
    after: details,
    origin: { actor, ip: null, userAgent: null, requestId: null },
  };
  await source.transaction((sql) => appendAudit(sql, entry, Date.now()));
}
