// npm test: installs what is missing, checks types, builds, runs every test on the product's Node. Further arguments go to
// jest, e.g. `npm test -- --selectProjects unit`. The last line is alone: "N passed, N failed" (and ", N skipped").
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findNode } from './node-binary.mjs';
import { prepare, root } from './setup.mjs';

const LONGEST_MS = 20 * 60_000;

/** Runs a Node script of node_modules in the clone; resolves with its exit code. Signals to this script reach it too. */
function run(script, args, nodeFlags = []) {
  const file = path.join(root, 'node_modules', ...script.split('/'));
  const child = spawn(findNode(root), [...nodeFlags, file, ...args], { cwd: root, stdio: 'inherit' });
  const end = () => child.kill('SIGTERM');
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, end);
  const late = setTimeout(() => {
    console.error(`\nstopped after ${LONGEST_MS / 60_000} minutes`);
    child.kill('SIGKILL');
  }, LONGEST_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearTimeout(late);
      for (const name of signals) process.off(name, end);
      resolve(code ?? 128 + os.constants.signals[signal]);
    });
  });
}

async function runJest(args) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'smartflow-test-'));
  const output = path.join(folder, 'jest.json');
  try {
    const code = await run(
      'jest/bin/jest.js',
      // Jest's own 5 s are too near to what a test of real processes takes on a busy machine.
      ['--json', `--outputFile=${output}`, '--testTimeout=20000', ...args],
      ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    );
    let result = null;
    try {
      result = JSON.parse(readFileSync(output, 'utf8'));
    } catch {
      console.error('jest wrote no result');
    }
    return { code, result };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A suite that could not be loaded counts as one failure: it holds an unknown number of tests that did not run. */
function count(result) {
  return {
    passed: result?.numPassedTests ?? 0,
    failed: (result?.numFailedTests ?? 0) + (result?.numRuntimeErrorTestSuites ?? 0),
    skipped: (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0),
  };
}

async function main() {
  await prepare({ build: 'never' });
  console.error('Checking types …');
  if ((await run('typescript7/bin/tsc', ['-p', 'tsconfig.json', '--noEmit'])) !== 0)
    throw new Error('the type check failed');
  await prepare();
  return runJest(process.argv.slice(2));
}

let outcome = { code: 1, result: null };
try {
  outcome = await main();
} catch (error) {
  console.error(`\n${error.message}`);
}
const { passed, failed, skipped } = count(outcome.result);
if (outcome.result !== null && passed + failed === 0) console.error('no test ran');
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(outcome.code === 0 && failed === 0 && passed > 0 ? 0 : outcome.code || 1);
