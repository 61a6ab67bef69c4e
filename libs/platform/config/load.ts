import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Secret } from '../secret.js';
import { checkMeaning } from './check.js';
import { compileBoot, compileLive } from './compile.js';
import type { ConfigFault, SmartflowConfig } from './config.js';
import { type Environment, Variables } from './environment.js';
import { Findings } from './findings.js';
import { maskSecrets } from './mask.js';
import { checkStoreVariables, configFileOf, type Overrides, readOverrides } from './overrides.js';
import { readTextFile } from './read-text.js';
import { checkShape } from './shape.js';
import { parseSource } from './source.js';

export interface LoadRequest {
  /** The file to read, relative to `cwd`. Absent: SMARTFLOW_CONFIG, else `smartflow.yaml` in `cwd` where there is one. */
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
  /** Wall time in ms, for what is said of expired keys; default now. */
  readonly nowMs?: number;
}

export type LoadResult =
  | { readonly ok: true; readonly config: SmartflowConfig }
  | {
      readonly ok: false;
      /** Everything that is wrong, in the order of lines. Never empty. */
      readonly faults: readonly ConfigFault[];
      readonly warnings: readonly ConfigFault[];
      readonly file: string | null;
    };

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads the configuration (CFG-1, CFG-2): file, environment and defaults in one frozen object, or all faults at once.
 * Throws nothing. Reads the file and the files that `…_FILE` variables name, both bounded (1 MiB, 64 KiB).
 */
export function loadConfig(request: LoadRequest): LoadResult {
  return readConfig(request).result;
}

/** As `loadConfig`, with the absolute paths of all files that had a part in the result. */
export function readConfig(request: LoadRequest): { readonly result: LoadResult; readonly inputs: readonly string[] } {
  const variables = new Variables(request.env, request.cwd);
  const environment = new Findings();
  const overrides = readOverrides(variables, environment);
  const file = fileOf(request, variables, environment);
  const result = assemble({ request, variables, environment, overrides, file });
  return { result, inputs: [...(file === null ? [] : [file]), ...variables.files] };
}

interface Parts {
  readonly request: LoadRequest;
  readonly variables: Variables;
  readonly environment: Findings;
  readonly overrides: Overrides;
  readonly file: string | null;
}

function assemble({ request, variables, environment, overrides, file }: Parts): LoadResult {
  const read = file === null ? { ok: true as const, text: '' } : readTextFile(file, MAX_FILE_BYTES);
  if (!read.ok) {
    environment.fault([], `the configuration file ${read.problem}`);
    return { ok: false, faults: environment.faults, warnings: environment.warnings, file };
  }
  const source = parseSource(read.text, variables);
  const { findings } = source;
  const broken = findings.faults.some((fault) => fault.path === '');
  const shape = checkShape(source);
  if (!broken) checkMeaning(shape.value, request.nowMs ?? Date.now(), findings);
  checkStoreVariables(shape.value, overrides, environment);
  if (file !== null && read.text.trim() === '') findings.warning([], 'the file is empty: everything is default', 1);

  const faults = [...environment.faults, ...findings.faults];
  const warnings = [...environment.warnings, ...findings.warnings];
  if (faults.length > 0 || shape.file === null) return { ok: false, faults, warnings, file };
  const folders = { file: file === null ? request.cwd : dirname(file), working: request.cwd };
  const config: SmartflowConfig = {
    boot: compileBoot(shape.file, overrides, folders),
    live: compileLive(shape.file),
    warnings,
    file,
    source: maskSecrets(shape.file),
  };
  return { ok: true, config: deepFreeze(config) };
}

function fileOf(request: LoadRequest, variables: Variables, findings: Findings): string | null {
  const named = request.file ?? configFileOf(variables, findings);
  if (named !== null) return resolve(request.cwd, named);
  const usual = resolve(request.cwd, 'smartflow.yaml');
  return existsSync(usual) ? usual : null;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Secret || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
