#!/usr/bin/env node
// The `smartflow` command: prepares the clone where needed and passes its arguments on.
import { launch } from './launch.mjs';
import { prepare } from './setup.mjs';

try {
  await prepare();
  process.exitCode = await launch(process.argv.slice(2));
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
