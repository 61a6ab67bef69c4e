// Every migration, oldest first: import the class and add it to the list, nothing else (see 0000-cluster.ts for the form).
import { Cluster1760000000000 } from './0000-cluster.js';
import { Registry1760000000001 } from './0001-registry.js';
import { Ledger1760000000002 } from './0002-ledger.js';
import { Archive1760000000003 } from './0003-archive.js';
import { ExactCost1760000000005 } from './0005-exact-cost.js';

export const migrations = [
  Cluster1760000000000,
  Registry1760000000001,
  Ledger1760000000002,
  Archive1760000000003,
  ExactCost1760000000005,
] as const;
