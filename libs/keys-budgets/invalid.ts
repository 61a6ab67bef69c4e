import { AppError } from '#libs/platform/errors.js';
import type { Fault } from './key-settings.js';

/** More faults than this are summed up: an answer must not grow with the nonsense sent. */
const MOST_FAULTS = 50;

/** One `invalid_request` that names every field at fault. Values sent by the caller are not repeated. */
export function invalid(all: readonly Fault[]): AppError {
  const faults = all.slice(0, MOST_FAULTS);
  if (all.length > MOST_FAULTS) faults.push({ path: '', message: `and ${all.length - MOST_FAULTS} more faults` });
  const shown = faults.slice(0, 3).map(({ path, message }) => `"${path}" ${message}`);
  return new AppError('invalid_request', {
    text: `The request is invalid: ${shown.join('; ')}${faults.length > 3 ? '; …' : ''}.`,
    ...(faults[0] === undefined ? {} : { param: faults[0].path }),
    faults,
  });
}
