import type { Variables } from './environment.js';
import type { Findings } from './findings.js';
import { isListenHost } from './listen.js';
import { parseStoreUrl, type StoreName, type StoreSetting, STORES } from './store-url.js';
import { didYouMean } from './suggest.js';
import { field } from './untyped.js';

/** What the environment says; `null` where it is silent. Paths are as written, relative ones belong to the working folder. */
export interface Overrides {
  readonly host: string | null;
  readonly port: number | null;
  readonly dataDir: string | null;
  readonly readyFile: string | null;
  readonly logLevel: LogLevel | null;
  /** Counts only where the file is silent about the store. */
  readonly stores: Readonly<Record<StoreName, StoreSetting | null>>;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** Variables of the product by name; all others that begin with SMARTFLOW_ are warned of. */
const KNOWN = [
  'SMARTFLOW_PORT',
  'SMARTFLOW_HOST',
  'SMARTFLOW_DATA_DIR',
  'SMARTFLOW_CONFIG',
  'SMARTFLOW_READY_FILE',
  'SMARTFLOW_LOG_LEVEL',
  'SMARTFLOW_MASTER_KEY',
] as const;

/** Variables that clients and compose files read: the product does not, and does not wonder about them. */
const ELSEWHERE = ['SMARTFLOW_KEY', 'SMARTFLOW_IMAGE', 'SMARTFLOW_PUBLISH'];

/** Name of the configuration file by SMARTFLOW_CONFIG, or `null`. */
export function configFileOf(variables: Variables, findings: Findings): string | null {
  const file = setting('SMARTFLOW_CONFIG', variables, findings);
  if (file === null || !/[\n\r]/.test(file)) return file;
  findings.fault(
    ['SMARTFLOW_CONFIG'],
    'must be one path; SMARTFLOW_CONFIG_FILE names a file that holds the path, SMARTFLOW_CONFIG the configuration itself',
  );
  return null;
}

/** Reads all overrides; faults carry the variable's name as their path. */
export function readOverrides(variables: Variables, findings: Findings): Overrides {
  const host = setting('SMARTFLOW_HOST', variables, findings);
  if (host !== null && !isListenHost(host)) findings.fault(['SMARTFLOW_HOST'], 'must be an IP address or a host name');
  const logLevel = setting('SMARTFLOW_LOG_LEVEL', variables, findings);
  if (logLevel !== null && !isLogLevel(logLevel)) {
    const near = didYouMean(logLevel, LOG_LEVELS);
    findings.fault(['SMARTFLOW_LOG_LEVEL'], `must be one of ${LOG_LEVELS.join(', ')}${near}`);
  }
  if (setting('SMARTFLOW_MASTER_KEY', variables, findings) !== null) {
    findings.warning(['SMARTFLOW_MASTER_KEY'], 'has no effect: this version stores no secrets that it would encrypt');
  }
  warnOfUnknown(variables, findings);
  return {
    host,
    port: portOf(variables, findings),
    dataDir: setting('SMARTFLOW_DATA_DIR', variables, findings),
    readyFile: setting('SMARTFLOW_READY_FILE', variables, findings),
    logLevel: logLevel !== null && isLogLevel(logLevel) ? logLevel : null,
    stores: {
      redis: storeOf('redis', variables, findings),
      postgres: storeOf('postgres', variables, findings),
      mongodb: storeOf('mongodb', variables, findings),
    },
  };
}

/** Faults of store URLs from the environment, where the file leaves the store to it. */
export function checkStoreVariables(file: unknown, overrides: Overrides, findings: Findings): void {
  for (const store of Object.keys(STORES) as StoreName[]) {
    const problem = overrides.stores[store]?.problem ?? null;
    if (problem !== null && field(field(file, 'stores'), store) === undefined) {
      findings.fault([STORES[store].variable], problem);
    }
  }
}

function portOf(variables: Variables, findings: Findings): number | null {
  const text = setting('SMARTFLOW_PORT', variables, findings);
  if (text === null) return null;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  findings.fault(['SMARTFLOW_PORT'], 'must be a port from 0 (any free one) to 65535');
  return null;
}

function storeOf(store: StoreName, variables: Variables, findings: Findings): StoreSetting | null {
  const text = setting(STORES[store].variable, variables, findings);
  return text === null ? null : parseStoreUrl(store, text);
}

/** The trimmed value of a variable; empty is as good as unset, as compose files pass unset variables on so. */
function setting(name: string, variables: Variables, findings: Findings): string | null {
  const read = variables.read(name);
  if (!read.found) {
    if (read.problem !== null) findings.fault([name], read.problem);
    return null;
  }
  const value = read.value.trim();
  return value === '' ? null : value;
}

function warnOfUnknown(variables: Variables, findings: Findings): void {
  const known = KNOWN.flatMap((name) => [name, `${name}_FILE`]);
  for (const name of variables.names) {
    if (!name.startsWith('SMARTFLOW_') || known.includes(name) || ELSEWHERE.includes(name)) continue;
    findings.warning([name], `the variable ${name} is not known${didYouMean(name, known)}`);
  }
}

function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
