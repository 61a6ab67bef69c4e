// Every migration, oldest first: import the class and add it to the list, nothing else (see 0000-cluster.ts for the form).
import { Cluster1760000000000 } from './0000-cluster.js';
import { Registry1760000000001 } from './0001-registry.js';
import { Ledger1760000000002 } from './0002-ledger.js';
import { Archive1760000000003 } from './0003-archive.js';
import { Budgets1760000000004 } from './0004-budgets.js';
import { Rollups1760000000005 } from './0005-rollups.js';
import { Alerts1760000000006 } from './0006-alerts.js';
import { KeyUse1760000000007 } from './0007-key-use.js';
import { ExactCost1760000000008 } from './0008-exact-cost.js';
import { KeySpend1760000000009 } from './0009-key-spend.js';
import { Routes1760000000010 } from './0010-routes.js';

export const migrations = [
  Cluster1760000000000,
  Registry1760000000001,
  Ledger1760000000002,
  Archive1760000000003,
  Budgets1760000000004,
  Rollups1760000000005,
  Alerts1760000000006,
  KeyUse1760000000007,
  ExactCost1760000000008,
  KeySpend1760000000009,
  Routes1760000000010,
] as const;
