import { AppError } from '#libs/platform/errors.js';

/** PostgreSQL error classes that mean "not now" rather than "wrong": connection, resources, operator intervention, limits. */
const UNAVAILABLE = /^(08|53|57|55P03|25006)/;

/**
 * Runs work on PostgreSQL; what the driver throws becomes `store_unavailable` (no answer, no resources, time limit) or
 * `conflict` (a name taken meanwhile). Other faults are ours and pass unchanged. The driver's text is only the cause.
 */
export async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError || error instanceof TypeError || error instanceof RangeError) throw error;
    const code = (error as { driverError?: { code?: string } }).driverError?.code ?? (error as { code?: string }).code;
    if (code === '23505') throw new AppError('conflict', { text: 'There is one of that name already.', cause: error });
    const isDriverFault = code === undefined || !/^[0-9A-Z]{5}$/.test(code) || UNAVAILABLE.test(code);
    throw isDriverFault ? new AppError('store_unavailable', { cause: error }) : error;
  }
}
