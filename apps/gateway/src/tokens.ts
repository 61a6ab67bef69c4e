/** Nest token of the process's {@link import('#libs/platform/logger.js').Logger}. */
export const LOGGER = Symbol('LOGGER');
