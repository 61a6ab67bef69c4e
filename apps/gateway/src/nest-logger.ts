import type { LoggerService } from '@nestjs/common';
import type { Logger } from '#libs/platform/logger.js';

/** Nest's own messages in our log: its start-up chatter at debug level, its warnings and errors as such. */
export function toNestLogger(log: Logger): LoggerService {
  const contextOf = (parameters: readonly unknown[]): object => ({ context: parameters.at(-1) });
  return {
    log: (message: unknown, ...more: unknown[]) => log.debug(contextOf(more), String(message)),
    warn: (message: unknown, ...more: unknown[]) => log.warn(contextOf(more), String(message)),
    error: (message: unknown, ...more: unknown[]) =>
      log.error({ ...contextOf(more), err: message instanceof Error ? message : more[0] }, String(message)),
    fatal: (message: unknown, ...more: unknown[]) => log.error(contextOf(more), String(message)),
    debug: () => {},
    verbose: () => {},
  };
}
