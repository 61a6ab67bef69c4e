// npm run bench: the price of the data plane as a ratio to a bare proxy, by the method of README.md beside this file.
import { spawnSync } from 'node:child_process';
import { node26, repositoryRoot } from './node-binary.js';
import { readOptions, USAGE } from './options.js';
import { runBench } from './run.js';

const root = repositoryRoot();
const args = process.argv.slice(2);

async function main(): Promise<number> {
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  const options = readOptions(args);
  if (process.platform !== 'linux') throw new Error('The bench reads CPU time from /proc and runs on Linux only.');
  const node = node26(root);
  if (node !== null && node !== process.execPath) {
    // Everything, the bench included, runs on the Node that is measured.
    return spawnSync(node, [...process.execArgv, import.meta.filename, ...args], { stdio: 'inherit' }).status ?? 1;
  }
  await runBench(root, options);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
