// Runs the tools of lint and check, two at a time, each one's output in one piece; the exit code is 1 when one of them failed.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { findNode } from './node-binary.mjs';

const root = path.dirname(import.meta.dirname);
const STEP_LIMIT_MS = 600_000;

/** One tool run to its end: its name, whether it passed, how long it took and all it printed. */
async function runStep({ name, args }) {
  const startedMs = performance.now();
  const child = spawn(findNode(root), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: STEP_LIMIT_MS });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  const passed = await new Promise((resolve) => {
    child.once('error', (error) => {
      output.push(Buffer.from(`${error.message}\n`));
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
  return {
    name,
    passed,
    seconds: ((performance.now() - startedMs) / 1000).toFixed(1),
    output: Buffer.concat(output).toString(),
  };
}

/**
 * Runs the steps (`{ name, args }`, `args` for Node), at most `atOnce` at a time, and sets the exit code.
 * A step that passes says one line; one that fails shows all its output.
 */
export async function runSteps(steps, atOnce = 2) {
  const waiting = [...steps];
  let failed = 0;
  const work = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const result = await runStep(step);
      if (!result.passed) failed += 1;
      console.log(`${result.passed ? '✓' : '✗'} ${result.name} (${result.seconds} s)`);
      if (!result.passed || step.show === true) console.log(result.output.trimEnd());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  process.exitCode = failed === 0 ? 0 : 1;
  return failed === 0;
}

/** The tools of `npm run lint`; `npm run check` runs them too. */
export const lintSteps = [
  { name: 'lint: source files (oxlint)', args: ['node_modules/oxlint/bin/oxlint'] },
  {
    name: 'lint: who imports whom (dependency-cruiser)',
    args: [
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config',
      '.dependency-cruiser.mjs',
      'apps',
      'libs',
      'test',
      'scripts',
    ],
  },
  { name: 'lint: structure', args: ['scripts/check-structure.mjs'] },
  { name: 'lint: dependencies', args: ['scripts/check-dependencies.mjs'] },
];
