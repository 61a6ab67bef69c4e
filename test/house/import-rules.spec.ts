import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { plantTree, root } from './tree.js';

const entry = 'export const here = 1;\n';

/** Breaks of each rule of `.dependency-cruiser.mjs`: rule → file that breaks it → source. */
const wrong: Record<string, Record<string, string>> = {
  'no-cycle': {
    'libs/cache/round.ts': "import { about } from './about.js';\nexport const round = () => about;\n",
    'libs/cache/about.ts': "import { round } from './round.js';\nexport const about = () => round;\n",
    // across libraries, through `#libs/…`: seen only when the subpath import leads to the sources
    'libs/iam-sync/to-registry.ts':
      "import { toIam } from '#libs/registry/index.js';\nexport const toRegistry = () => toIam;\n",
    'libs/registry/to-iam.ts':
      "import { toRegistry } from '#libs/iam-sync/index.js';\nexport const toIam = () => toRegistry;\n",
    'libs/iam-sync/index.ts': "export { toRegistry } from './to-registry.js';\n",
    'libs/registry/index.ts': "export { toIam } from './to-iam.js';\n",
  },
  'no-unresolvable': {
    'libs/routing/lost.ts': "import { nothing } from './nowhere.js';\nexport const lost = nothing;\n",
    'libs/routing/lost-lib.ts': "import { nothing } from '#libs/nowhere/index.js';\nexport const lost = nothing;\n",
  },
  'known-libs': {
    'libs/newcomer/rule.ts': "import { here } from '#libs/platform/clock.js';\nexport const rule = here;\n",
  },
  'platform-knows-nobody': {
    'libs/platform/metrics.ts': "import { here } from '#libs/dialects/index.js';\nexport const m = here;\n",
  },
  'foundations-below-capabilities': {
    'libs/providers/proud.ts': "import { here } from '#libs/ledger/index.js';\nexport const proud = here;\n",
  },
  'base-knows-only-platform': {
    'libs/stores/wise.ts': "import { here } from '#libs/dialects/index.js';\nexport const wise = here;\n",
  },
  'middle-apart': {
    'libs/pricing/asks.ts': "import { provider } from '#libs/providers/index.js';\nexport const asks = provider;\n",
  },
  'dialects-are-pure': {
    'libs/dialects/reads-disk.ts': "import { readFileSync } from 'node:fs';\nexport const r = readFileSync;\n",
    'libs/pricing/logs.ts': "import { pino } from 'pino';\nexport const log = pino;\n",
  },
  'capabilities-apart': {
    'libs/routing/asks-ledger.ts': "import { here } from '#libs/ledger/index.js';\nexport const asks = here;\n",
    'libs/routing/asks-ledger-type.ts':
      "import type { Here } from '#libs/ledger/index.js';\nexport type Asks = Here;\n",
  },
  'libs-below-apps': {
    'libs/a2a/looks-up.ts': "import { worker } from '../../apps/worker/src/work.js';\nexport const up = worker;\n",
  },
  'apps-apart': {
    'apps/gateway/src/peeks.ts': "import { worker } from '../../worker/src/work.js';\nexport const peeks = worker;\n",
  },
  'mains-from-cli': {
    'apps/worker/src/starts.ts': "import { main } from '../../gateway/src/main.js';\nexport const s = main;\n",
  },
  'no-test-code-in-product': {
    'apps/worker/src/fakes.ts': "import { fake } from '#test/fakes/upstream.js';\nexport const f = fake;\n",
  },
  'testing-entry-for-tests': {
    'apps/worker/src/tests.ts': "import { here } from '#libs/stores/testing.js';\nexport const t = here;\n",
  },
  'curated-entry': {
    'apps/worker/src/digs.ts': "import { inner } from '#libs/ledger/inner.js';\nexport const digs = inner;\n",
    'libs/keys-budgets/digs.ts': "import { inner } from '../stores/inner.js';\nexport const digs = inner;\n",
    'apps/worker/src/digs-config.ts':
      "import { here } from '#libs/platform/config/read.js';\nexport const digs = here;\n",
  },
  'entry-not-from-inside': {
    'libs/guardrails/selfish.ts': "import { here } from './index.js';\nexport const s = here;\n",
  },
  'drivers-in-adapters': {
    'libs/ledger/rule.ts': "import { Redis } from 'ioredis';\nexport const r = Redis;\n",
    'apps/worker/src/pg.ts': "import pg from 'pg';\nexport const p = pg;\n",
    'libs/ledger/orm.ts': "import type { DataSource } from 'typeorm';\nexport type D = DataSource;\n",
    'libs/ledger/mongo.ts': "import mongoose from 'mongoose';\nexport const m = mongoose;\n",
  },
  'nest-at-the-edge': {
    'libs/routing/nested.ts': "import { Injectable } from '@nestjs/common';\nexport const i = Injectable;\n",
  },
  'dto-tools-at-the-edge': {
    'libs/routing/dto.ts': "import { IsString } from 'class-validator';\nexport const i = IsString;\n",
  },
  'outbound-http-in-egress': {
    'libs/routing/calls.ts': "import { request } from 'undici';\nexport const call = request;\n",
    'apps/gateway/src/admin/calls.ts': "import { request } from 'node:https';\nexport const call = request;\n",
  },
  'no-dev-dependency-in-product': {
    'apps/worker/src/jested.ts':
      "import { jest } from '@jest/globals';\nimport o from 'prettier';\nexport const j = [jest, o];\n",
  },
  'no-undeclared-package': { 'apps/worker/src/undeclared.ts': "import avvio from 'avvio';\nexport const u = avvio;\n" },
};

/** What is allowed, one line per rule it must not trip over. */
const right: Record<string, string> = {
  'libs/platform/clock.ts': entry,
  'libs/platform/config/read.ts': entry,
  'libs/platform/config.ts': "export { here } from './config/read.js';\n",
  'libs/platform/egress/call.ts': "import { request } from 'undici';\nexport const call = request;\n",
  'libs/dialects/index.ts': entry,
  'libs/dialects/uses-platform.ts': "import { here } from '#libs/platform/clock.js';\nexport const uses = here;\n",
  'libs/ledger/index.ts': `${entry}export type Here = number;\n`,
  'libs/ledger/inner.ts': entry,
  'libs/ledger/rows.postgres.ts':
    "import type { DataSource } from 'typeorm';\nimport { here } from '#libs/stores/index.js';\nexport const d = (s: DataSource) => [s, here];\n",
  'libs/ledger/ledger.module.ts': "import { Module } from '@nestjs/common';\nexport const m = Module;\n",
  'libs/ledger/http/logs.controller.ts':
    "import { Controller } from '@nestjs/common';\nimport { IsInt } from 'class-validator';\nexport const c = [Controller, IsInt];\n",
  'libs/guardrails/index.ts': entry,
  'libs/providers/index.ts': "import { here } from '#libs/dialects/index.js';\nexport const provider = here;\n",
  'test/contract/inner.contract.ts': "import { inner } from '#libs/stores/inner.js';\nexport const i = inner;\n",
  'libs/stores/index.ts': entry,
  'libs/stores/inner.ts': "import pg from 'pg';\nexport const inner = pg;\n",
  'libs/stores/testing.ts': entry,
  'libs/ledger/rows.postgres.spec.ts': "import { here } from '#libs/stores/testing.js';\nexport const t = here;\n",
  'test/fakes/upstream.ts': "import { here } from '#libs/ledger/index.js';\nexport const fake = here;\n",
  'apps/worker/src/work.ts':
    "import { here } from '#libs/ledger/index.js';\nimport { Module } from '@nestjs/common';\nexport const worker = [here, Module];\n",
  'libs/cache/of-types.ts':
    "import type { Table } from './table.js';\nexport const columns = (t: Table): number => t.columns;\n",
  'libs/cache/table.ts':
    "import { columns } from './of-types.js';\nexport interface Table { columns: number }\nexport const count = columns;\n",
  'apps/cli/src/commands.ts': "export const load = async () => import('./help.js');\n",
  'apps/cli/src/help.ts': "import { load } from './commands.js';\nexport const help = load;\n",
  'apps/gateway/src/main.ts': 'export const main = 1;\n',
  'apps/cli/src/serve.ts': "export const serve = async () => import('../../gateway/src/main.js');\n",
  'apps/gateway/src/proxy/pools.ts': "import { Pool } from 'undici';\nexport const p = Pool;\n",
};

interface Violation {
  readonly rule: { readonly name: string; readonly severity: string };
  readonly from: string;
  /** The files of a cycle, which is reported at one of them only. */
  readonly cycle?: readonly { readonly name: string }[];
}

/** Runs dependency-cruiser over a planted tree; returns `severity rule file` for each violation. */
function cruise(files: Record<string, string>): string[] {
  const tree = plantTree(files, ['.dependency-cruiser.mjs', 'scripts/resolve-sources.cjs', 'package.json']);
  try {
    const bin = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
    const args = [bin, '--config', '.dependency-cruiser.mjs', '-T', 'json', 'apps', 'libs', 'test'];
    const run = spawnSync(process.execPath, args, {
      cwd: tree.dir,
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 64 << 20,
    });
    if (!run.stdout.startsWith('{')) throw new Error(`dependency-cruiser did not run: ${run.stderr.slice(0, 2000)}`);
    const { summary } = JSON.parse(run.stdout) as { summary: { violations: Violation[] } };
    return summary.violations.flatMap((v) =>
      [v.from, ...(v.cycle ?? []).map((part) => part.name)].map((file) => `${v.rule.severity} ${v.rule.name} ${file}`),
    );
  } finally {
    tree.remove();
  }
}

describe('import rules', () => {
  let found: string[];
  beforeAll(() => {
    found = cruise({ ...right, ...Object.assign({}, ...Object.values(wrong)) });
  }, 90_000);

  const breaks = Object.entries(wrong).flatMap(([rule, files]) =>
    Object.keys(files).map((file) => [rule, file] as const),
  );

  it.each(breaks)('%s: an error for %s', (rule, file) => {
    expect(found).toContain(`error ${rule} ${file}`);
  });

  it('files that keep the rules are not reported', () => {
    const kept = Object.keys(right).flatMap((file) => found.filter((v) => v.endsWith(` ${file}`)));
    expect(kept).toEqual([]);
  });

  it('every rule has a file here that breaks it', async () => {
    const config = (await import(pathToFileURL(path.join(root, '.dependency-cruiser.mjs')).href)) as {
      default: { forbidden: { name: string; severity: string }[] };
    };
    expect(config.default.forbidden.map((rule) => rule.name).sort()).toEqual(Object.keys(wrong).sort());
    expect(config.default.forbidden.filter((rule) => rule.severity !== 'error')).toEqual([]);
  });
});
