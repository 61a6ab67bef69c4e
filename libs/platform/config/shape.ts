import { z } from 'zod';
import type { Path } from './findings.js';
import { type ConfigFile, configSchema } from './schema.js';
import type { Source } from './source.js';
import { didYouMean } from './suggest.js';
import { isMapping } from './untyped.js';

type Issue = z.core.$ZodIssue;

/**
 * Checks a parsed file against the schema and reports every fault. Text that came from a `${VAR}` becomes a number or a
 * boolean where the schema wants one, and counts as not written where it is empty and the schema refuses that.
 *
 * `value` is the file as far as it could be read, for the checks that look at several places; `file` is `null` when
 * anything is wrong with the shape.
 */
export function checkShape(source: Source): { readonly value: unknown; readonly file: ConfigFile | null } {
  const { findings } = source;
  const value = withoutEmptySections(source.value);
  if (!isMapping(value)) {
    findings.fault([], 'the file is no mapping: write settings as "name: value"', 1);
    return { value: {}, file: null };
  }
  let result = configSchema.safeParse(value);
  if (!result.success && result.error.issues.map((issue) => amend(value, issue, source)).includes(true)) {
    result = configSchema.safeParse(value);
  }
  if (result.success) return { value, file: result.data };
  for (const issue of result.error.issues) {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(path);
      for (const key of issue.keys) {
        findings.fault([...path, key], `unknown setting${didYouMean(key, known)}`);
      }
    } else {
      findings.fault(path, wordingOf(issue, valueAt(value, path)));
    }
  }
  return { value, file: null };
}

/** `keys:` with nothing below it (all commented out) is the same as no such section. */
function withoutEmptySections(value: unknown): unknown {
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
}

/** Puts right what filling in has done to one value; true when something changed. */
function amend(root: Record<string, unknown>, issue: Issue, source: Source): boolean {
  const path = pathOf(issue);
  const last = path.at(-1);
  if (last === undefined || !source.wasFilled(path)) return false;
  const parent = valueAt(root, path.slice(0, -1)) as Record<string | number, unknown>;
  const text = parent[last];
  if (typeof text !== 'string') return false;
  if (text === '' && !Array.isArray(parent)) {
    delete parent[last];
    return true;
  }
  if (issue.code !== 'invalid_type') return false;
  const coerced = coerce(text.trim(), issue.expected);
  if (coerced === undefined) return false;
  parent[last] = coerced;
  return true;
}

function coerce(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (expected !== 'number' && expected !== 'int') return undefined;
  return /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** Says what is expected without quoting what was found. */
export function wordingOf(issue: Issue, found: unknown): string {
  if (found === null) return 'has no value; leave the line out or give it one';
  switch (issue.code) {
    case 'invalid_type':
      if (found === undefined) return 'is missing';
      if (issue.expected === 'string' && typeof found !== 'object') return 'must be text: put it in quotes';
      return `must be ${nameOf(issue.expected)}`;
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const near = typeof found === 'string' ? didYouMean(found, allowed) : '';
      return found === undefined
        ? `is missing: one of ${allowed.join(', ')}`
        : `must be one of ${allowed.join(', ')}${near}`;
    }
    case 'invalid_union':
      return 'must be a network such as 10.1.0.0/16 (a single address: 10.1.2.3/32)';
    case 'invalid_key':
      return `is not allowed as a name: ${issue.issues[0]?.message ?? 'malformed'}`;
    case 'too_small':
    case 'too_big':
      return sizeWording(issue);
    case 'invalid_format':
      return formatWording(issue.format, issue.message);
    default:
      return issue.message;
  }
}

function sizeWording(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small';
  const limit = String(small ? issue.minimum : issue.maximum);
  const edge = `${small ? 'at least' : 'at most'} ${limit}`;
  if (issue.origin === 'array') return `must have ${edge} ${limit === '1' ? 'entry' : 'entries'}`;
  if (issue.origin === 'string') return small ? 'must not be empty' : `must have ${edge} characters`;
  return issue.inclusive === false ? `must be ${small ? 'greater' : 'less'} than ${limit}` : `must be ${edge}`;
}

function formatWording(format: string, message: string): string {
  switch (format) {
    case 'url':
      return 'must be a URL beginning with https:// (or http://)';
    case 'datetime':
      return 'must be a date and time with zone, such as 2027-01-31T00:00:00Z';
    case 'date':
      return 'must be a date such as 2026-01-31, in quotes';
    default:
      return message;
  }
}

function nameOf(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping (name: value)',
    record: 'a mapping (name: value)',
    array: 'a list',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    string: 'text',
  };
  return names[expected] ?? expected;
}

/** Names the schema knows below `path`. */
function knownKeys(path: Path): readonly string[] {
  let schema: unknown = configSchema;
  for (const part of path) {
    const inner = unwrapped(schema);
    if (inner instanceof z.ZodObject) schema = (inner.shape as Record<string, unknown>)[String(part)];
    else if (inner instanceof z.ZodRecord) schema = inner.valueType;
    else if (inner instanceof z.ZodArray) schema = inner.element;
    else return [];
  }
  const last = unwrapped(schema);
  return last instanceof z.ZodObject ? Object.keys(last.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}

export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

export function pathOf(issue: Issue): Path {
  return issue.path.filter((part) => typeof part !== 'symbol');
}
