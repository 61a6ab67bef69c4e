import { ValidateBy, type ValidationOptions } from 'class-validator';

function rule(
  name: string,
  message: string,
  isValid: (value: unknown) => boolean,
): (options?: ValidationOptions) => PropertyDecorator {
  return (options) =>
    ValidateBy({ name, validator: { validate: isValid, defaultMessage: () => message } }, { ...options });
}

// No control, formatting (bidirectional marks), private or unassigned characters, no line ends; no blank at either end.
const LABEL = /^(?! )[^\p{C}\p{Zl}\p{Zp}]+(?<! )$/u;

/** One line of visible text, up to 128 characters. */
export const IsLabel = rule(
  'isLabel',
  'must be visible text of 1 to 128 characters, without control characters',
  (value) => typeof value === 'string' && value.length <= 128 && LABEL.test(value),
);

/** A model name or glob. */
export const IsModelPattern = rule(
  'isModelPattern',
  'each value must be a model name or glob such as gpt-* of 1 to 256 visible characters',
  (value) => typeof value === 'string' && value.length <= 256 && /^[\x21-\x7e]+$/.test(value),
);

/** A path or path glob. */
export const IsRoutePattern = rule(
  'isRoutePattern',
  'each value must be a path or glob such as /anthropic/*, up to 256 visible characters',
  (value) => typeof value === 'string' && value.length <= 256 && /^(\/|\*)[\x21-\x7e]*$/.test(value),
);

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 date and time with offset, of the calendar, not yet past. */
export const IsFutureInstant = rule(
  'isFutureInstant',
  'must be a date and time in the future with offset, such as 2027-01-31T12:00:00Z',
  (value) => {
    const match = typeof value === 'string' ? INSTANT.exec(value) : null;
    if (match === null) return false;
    const [, year, month, day] = match.map(Number) as [number, number, number, number];
    const isOfCalendar =
      month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
    return isOfCalendar && Date.parse(value as string) > Date.now();
  },
);

const MAP_KEY = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** Names to texts, at most 64 of them. */
export const IsMetadata = rule(
  'isMetadata',
  'must be an object of at most 64 texts (up to 1024 characters, no control characters) by names of letters, digits and . _ : / -',
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const entries = Object.entries(value);
    return (
      entries.length <= 64 &&
      entries.every(
        ([name, text]) =>
          MAP_KEY.test(name) &&
          !(name in Object.prototype) &&
          typeof text === 'string' &&
          text.length <= 1024 &&
          // oxlint-disable-next-line no-control-regex -- control characters are what is refused
          !/[\u0000-\u001f\u007f-\u009f]/.test(text),
      )
    );
  },
);

/** A field that is known but must not be given; the message says why. */
export function IsRefused(message: string): PropertyDecorator {
  return rule('isRefused', message, (value) => value === undefined)();
}
