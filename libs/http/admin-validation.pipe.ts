import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError } from '#libs/platform/errors.js';

interface Fault {
  readonly path: string;
  readonly message: string;
}

/** More faults than this are summed up: an answer must not grow with the nonsense sent. */
const MAX_FAULTS = 50;

function collect(errors: readonly ValidationError[], parent: string, faults: Fault[]): void {
  for (const error of errors) {
    const isIndex = /^\d+$/.test(error.property);
    const path = isIndex
      ? `${parent}[${error.property}]`
      : parent === ''
        ? error.property
        : `${parent}.${error.property}`;
    for (const [rule, message] of Object.entries(error.constraints ?? {})) {
      faults.push({
        path,
        message: rule === 'whitelistValidation' ? 'is not a known field' : plain(message, error.property),
      });
    }
    collect(error.children ?? [], path, faults);
  }
}

/** class-validator begins its sentences with the property's name, which the fault's path already gives. */
function plain(message: string, property: string): string {
  return message.replace(`each value in ${property} `, 'each value ').replace(`${property} `, '');
}

/** One `invalid_request` that names every field at fault. Values sent by the caller are not repeated. */
export function validationFault(errors: readonly ValidationError[]): AppError {
  const all: Fault[] = [];
  collect(errors, '', all);
  const faults = all.slice(0, MAX_FAULTS);
  if (all.length > MAX_FAULTS) faults.push({ path: '', message: `and ${all.length - MAX_FAULTS} more faults` });
  const text = faults
    .map((fault) => `${fault.path} ${fault.message}`.trim())
    .slice(0, 3)
    .join('; ');
  return new AppError('invalid_request', {
    text: `The request is invalid: ${text}${faults.length > 3 ? '; …' : ''}.`,
    ...(faults[0] === undefined ? {} : { param: faults[0].path }),
    faults,
  });
}

/** Validates DTOs of the admin API: unknown fields are refused, every fault is reported at once. */
export const adminValidationPipe = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  stopAtFirstError: false,
  validationError: { target: false, value: false },
  exceptionFactory: validationFault,
});
