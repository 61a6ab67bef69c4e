import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERRORS } from '#libs/platform/errors.js';
import { root } from './tree.js';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'docs/adr', 'docs/proofs']
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(root, folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${folder}/${name}`),
    ),
];

/** Anchors of a page as GitHub makes them from its headings. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('documents', () => {
  it('docs/errors.md has an anchor for every error code, and none for a code that does not exist', () => {
    const named = [...read('docs/errors.md').matchAll(/^### (.*)$/gm)].map(([, code = '']) => code);
    expect(named.sort()).toEqual(Object.keys(ERRORS).sort());
  });

  it.each(Object.entries(ERRORS))('docs/errors.md states the status of %s', (code, { status }) => {
    const section = (read('docs/errors.md').split(`### ${code}\n`)[1] ?? '').trimStart();
    expect(section.slice(0, 4)).toMatch(new RegExp(`^${status}[.,]`));
  });

  it('docs/ARCHITECTURE.md stays below 150 lines', () => {
    expect(read('docs/ARCHITECTURE.md').split('\n').length).toBeLessThan(150);
  });

  it.each(readdirSync(path.join(root, 'docs/adr')).filter((name) => /^\d{4}-/.test(name)))(
    '%s is listed and has its four parts',
    (name) => {
      const text = read(`docs/adr/${name}`);
      expect(read('docs/adr/README.md')).toContain(name);
      if (!name.startsWith('0007'))
        for (const part of ['## Context', '## Decision', '## Alternatives', '## Consequences'])
          expect(text).toContain(part);
    },
  );

  it.each(pages)('%s: every link leads somewhere', (page) => {
    const dead = [...read(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => {
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? page : path.join(path.dirname(page), file);
        if (!existsSync(path.join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      });
    expect(dead).toEqual([]);
  });

  it.each(pages)('%s: every npm script it names exists', (page) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/npm run ([a-z:-]+)/g)].map(([, script = '']) => script);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });

  it.each(pages)('%s: every source file it names exists', (page) => {
    const named = [
      ...read(page).matchAll(/`((?:apps|libs|test|scripts|docker|docs)\/[\w./-]+\.(?:ts|mjs|cjs|sh|yaml|md|json))`/g),
    ];
    expect(named.map(([, file = '']) => file).filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it('docs/configuration.md names every setting of the schema', () => {
    const text = read('docs/configuration.md');
    const names = new Set(
      [
        ...read('libs/platform/config/schema.ts').matchAll(
          /^\s*([a-z][a-z0-9_]*): (?:z\.|name|budget|limits|timeouts|key|provider|model|price)/gm,
        ),
      ].map(([, name = '']) => name),
    );
    expect(names.size).toBeGreaterThan(40);
    expect([...names].filter((name) => !text.includes(name))).toEqual([]);
  });

  it('docs/configuration.md names every environment variable of the product', () => {
    const text = read('docs/configuration.md');
    const sources = ['overrides.ts', 'store-url.ts'].map((file) => read(`libs/platform/config/${file}`)).join('\n');
    const names = [...sources.matchAll(/'((?:SMARTFLOW_[A-Z_]+|[A-Z]+_URL))'/g)].map(([, name = '']) => name);
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });
});
