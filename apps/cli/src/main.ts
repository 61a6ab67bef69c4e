#!/usr/bin/env node
import { runCli } from './run-cli.js';

// Whatever still holds the event loop when a command is done must not keep the process: each command has ended what it began.
process.exit(await runCli(process.argv.slice(2)));
