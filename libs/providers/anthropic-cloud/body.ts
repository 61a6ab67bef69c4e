import {
  addField,
  elementsOf,
  memberStart,
  parseSpan,
  removeMembers,
  scanObject,
  splice,
  type Edit,
  type ScannedObject,
  type Span,
} from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { PAIRED_FEATURES, sortBetas, type Capabilities, type PairedFeature } from './features.js';

const FEATURE_FIELDS = PAIRED_FEATURES.flatMap((feature) => feature.fields);
const TOOL_FIELDS: ReadonlySet<string> = new Set(PAIRED_FEATURES.flatMap((feature) => feature.toolFields));
const WATCHED: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'anthropic_version',
  'anthropic_beta',
  'tools',
  'service_tier',
  'inference_geo',
  ...FEATURE_FIELDS,
]);

export interface CloudBody {
  readonly body: Buffer;
  /** Betas for the header; empty when they stand in the body. */
  readonly betas: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * A Messages body as a cloud takes it: version (and betas) in the body, `without` fields taken out, features the upstream
 * does not serve taken out on both sides. Spliced: everything else stays byte for byte.
 *
 * @param headerBetas the values of the caller's `anthropic-beta` headers
 * @param without `model` and `stream` where the path says them
 * @throws AppError `invalid_request` when `anthropic_beta` of the body is no list of names
 */
export function cloudBody(
  received: Buffer,
  headerBetas: readonly string[],
  without: readonly string[],
  capabilities: Capabilities,
): CloudBody {
  const scanned = scanObject(received, WATCHED);
  const asked = [...headerBetas.flatMap((value) => value.split(',')), ...betasInBody(received, scanned)]
    .map((beta) => beta.trim())
    .filter((beta) => beta !== '');
  const { served, refused } = sortBetas(capabilities, asked);
  const halves = PAIRED_FEATURES.filter((feature) => isHalf(feature, served, refused));
  const dropFields = [...capabilities.refusedFields, ...halves.flatMap((feature) => feature.fields)].filter(
    (name, at, all) => scanned.fields.has(name) && all.indexOf(name) === at,
  );
  const tools = toolEdits(received, scanned, new Set(halves.flatMap((feature) => feature.toolFields)));
  const additions = [
    ...(scanned.fields.has('anthropic_version') ? [] : [['anthropic_version', JSON.stringify(capabilities.version)]]),
    ...(capabilities.betasIn === 'body' && served.length > 0 ? [['anthropic_beta', JSON.stringify(served)]] : []),
  ];
  const removed = [...without, 'anthropic_beta', ...dropFields];
  return {
    body: splice(received, [...memberEdits(received, scanned, removed, additions), ...tools.edits]),
    betas: capabilities.betasIn === 'header' ? served : [],
    dropped: [...refused.map((beta) => `anthropic-beta:${beta}`), ...dropFields, ...tools.dropped],
  };
}

function betasInBody(body: Buffer, scanned: ScannedObject): string[] {
  const span = scanned.fields.get('anthropic_beta');
  const value = span === undefined ? [] : parseSpan(body, span);
  if (Array.isArray(value) && value.every((beta) => typeof beta === 'string')) return value;
  throw new AppError('invalid_request', {
    text: '"anthropic_beta" must be a list of names.',
    param: 'anthropic_beta',
  });
}

/** The caller asked for the feature by a beta, and no beta of it is served. A field without any beta is the upstream's to judge. */
function isHalf({ betas }: PairedFeature, served: readonly string[], refused: readonly string[]): boolean {
  const among = (names: readonly string[]): boolean =>
    names.some((name) => betas.some((beginning) => name.startsWith(beginning)));
  return among(refused) && !among(served);
}

/** Takes members out and puts others in; the first of the removed makes room for them, so that commas come out right. */
function memberEdits(
  body: Buffer,
  scanned: ScannedObject,
  removed: readonly string[],
  additions: readonly (readonly string[])[],
): Edit[] {
  const spans = removed.map((name) => scanned.fields.get(name)).filter((span) => span !== undefined);
  const text = additions.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',');
  if (text === '') return removeMembers(body, spans);
  const [first, ...others] = spans;
  if (first === undefined) return additions.map(([name, value]) => addField(scanned, name as string, value as string));
  return [{ start: memberStart(body, first.start), end: first.end, text }, ...removeMembers(body, others)];
}

interface ToolEdits {
  readonly edits: Edit[];
  readonly dropped: readonly string[];
}

function toolEdits(body: Buffer, scanned: ScannedObject, fields: ReadonlySet<string>): ToolEdits {
  const span = scanned.fields.get('tools');
  const tools = span === undefined || fields.size === 0 ? null : elementsOf(body, span);
  const edits: Edit[] = [];
  const dropped = new Set<string>();
  for (const tool of tools ?? []) {
    const text = body.subarray(tool.start, tool.end);
    const found = [...scanObject(text, TOOL_FIELDS).fields].filter(([name]) => fields.has(name));
    for (const [name] of found) dropped.add(`tools[].${name}`);
    edits.push(
      ...removeMembers(
        text,
        found.map(([, value]): Span => value),
      ).map((edit) => shifted(edit, tool.start)),
    );
  }
  return { edits, dropped: [...dropped] };
}

function shifted({ start, end, text }: Edit, by: number): Edit {
  return { start: start + by, end: end + by, text };
}
