// npm run check: format, lint, types and unit tests, in under a minute. What a change must pass before it is committed.
import { prepare } from './setup.mjs';
import { lintSteps, runSteps } from './run-steps.mjs';

try {
  await prepare({ build: 'never' });
  const quick = await runSteps([
    { name: 'types (TypeScript 7)', args: ['node_modules/typescript7/bin/tsc', '-p', 'tsconfig.json', '--noEmit'] },
    {
      name: 'format (prettier)',
      args: [
        'node_modules/prettier/bin/prettier.cjs',
        '--check',
        '.',
        '--log-level',
        'warn',
        '--cache',
        '--cache-strategy',
        'content',
      ],
    },
    ...lintSteps,
  ]);
  const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const tested = await runSteps([
    { name: 'unit tests (jest)', args: [...jest, '--selectProjects', 'unit', '--silent'], show: true },
  ]);
  process.exitCode = quick && tested ? 0 : 1;
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
