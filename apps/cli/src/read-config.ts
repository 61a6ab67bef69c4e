import {
  loadConfig,
  readEnvironment,
  renderReport,
  type LoadResult,
  type SmartflowConfig,
} from '#libs/platform/config.js';
import { textOption, type CommandInput } from './command.js';

/** Reads the configuration a command names, or the usual one. */
export function load(input: CommandInput, file = textOption(input, 'config')): LoadResult {
  return loadConfig({ file, env: readEnvironment(), cwd: process.cwd() });
}

/** The configuration a command works with; `null` after every fault was printed. Warnings are printed too. */
export function readConfig(input: CommandInput): SmartflowConfig | null {
  const result = load(input);
  if (!result.ok || result.config.warnings.length > 0)
    process.stderr.write(renderReport(result, textOption(input, 'config')));
  return result.ok ? result.config : null;
}
