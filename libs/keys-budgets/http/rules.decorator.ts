import { ValidateBy, type ValidationOptions } from 'class-validator';
import { CHAIN_NAME, doubledBudget, isTimeZone, OWNER_NAME, TAG_NAME } from '#libs/platform/config.js';
import { usdToNanos } from '#libs/platform/money.js';

function rule(
  name: string,
  message: string,
  isValid: (value: unknown) => boolean,
): (options?: ValidationOptions) => PropertyDecorator {
  return (options) =>
    ValidateBy({ name, validator: { validate: isValid, defaultMessage: () => message } }, { ...options });
}

/** One line of visible text, up to 128 characters: a name or a tag. `|` separates fields of counters and exports. */
export const IsLabel = rule(
  'isLabel',
  'must be visible text of 1 to 128 characters, without | and control characters',
  (value) => typeof value === 'string' && value.length <= 128 && TAG_NAME.test(value),
);

/** Name of a team, user or app, which may also stand in an address. */
export const IsOwnerName = rule(
  'isOwnerName',
  'must be visible text of 1 to 128 characters, without |, /, \\, % and control characters',
  (value) => typeof value === 'string' && value.length <= 128 && OWNER_NAME.test(value),
);

/** Name of a fallback chain; there need be none of that name yet. */
export const IsChainName = rule(
  'isChainName',
  'must be the name of a chain: letters, digits, ., _ and - (at most 128)',
  (value) => typeof value === 'string' && CHAIN_NAME.test(value),
);

/** An amount in USD that is a whole number of nano-dollars, above nothing. */
export const IsAmountUsd = rule(
  'isAmountUsd',
  'must be an amount from 0.000000001 to 9000000 USD with at most nine decimals',
  (value) => typeof value === 'number' && (usdToNanos(value) ?? 0) > 0,
);

/** A time zone of the IANA database. */
export const IsZone = rule(
  'isZone',
  'must be a time zone of the IANA database such as Europe/Berlin',
  (value) => typeof value === 'string' && value.length <= 64 && isTimeZone(value),
);

/** No period twice, a soft budget beside a hard one excepted. */
export const IsOncePerPeriod = rule(
  'isOncePerPeriod',
  'must have one budget per period at most, and one soft one beside it',
  (value) => !Array.isArray(value) || doubledBudget(value.map((one: unknown) => ({ ...(one as object) }))) === -1,
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
