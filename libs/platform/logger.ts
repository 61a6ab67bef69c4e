import { pino } from 'pino';
import { cleanFields } from './logger/clean.js';
import { LineWriter } from './logger/line-writer.js';
import { scrub } from './logger/scrub.js';

export { scrub } from './logger/scrub.js';

/** Where a part of the product tells its operator what happens. Fields first, then one sentence without values in it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger whose every line carries these fields too. */
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Name of the process in each line: `gateway`, `worker`, … */
  readonly name: string;
  /** Takes whole lines. Default: standard output. */
  readonly destination?: { write(line: string): void };
}

/** Characters of lines that wait because the reader of standard output is slow; beyond that lines are dropped. */
const MAX_WAITING = 4 * 1024 * 1024;

let standardOutput: LineWriter | null = null;

/** One writer for all loggers of the process, so that their lines do not run into each other. */
function standardOutputWriter(): LineWriter {
  if (standardOutput === null) {
    const writer = new LineWriter(1, MAX_WAITING);
    process.on('exit', () => writer.flushSync());
    standardOutput = writer;
  }
  return standardOutput;
}

/**
 * A logger that writes one JSON object a line: `level`, `time` (ISO), `name`, `pid`, the fields, `msg`.
 *
 * No credential gets out (CFG, notes on logs): `Secret` prints as `[secret]`; fields are copied by `cleanFields`, which
 * knows credentials by the name of their field at any depth; the finished line passes `scrub`, which knows them by their
 * look, in messages, stacks and URLs too. Pino's own `redact` is not used since it needs each path spelt out in advance.
 */
export function createLogger(options: LoggerOptions): Logger {
  const root = pino(
    {
      name: options.name,
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: scrub },
    },
    options.destination ?? standardOutputWriter(),
  );
  return new PinoLogger(root);
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger;

  constructor(inner: pino.Logger) {
    this.#pino = inner;
  }
  debug(fields: object, message: string): void {
    this.#write('debug', fields, message);
  }
  info(fields: object, message: string): void {
    this.#write('info', fields, message);
  }
  warn(fields: object, message: string): void {
    this.#write('warn', fields, message);
  }
  error(fields: object, message: string): void {
    this.#write('error', fields, message);
  }
  child(fields: object): Logger {
    return new PinoLogger(this.#pino.child(cleanFields(fields)));
  }

  #write(level: LogLevel, fields: object, message: string): void {
    if (this.#pino.isLevelEnabled(level)) this.#pino[level](cleanFields(fields), message);
  }
}
