import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { z } from 'zod';
import { idTimeMs } from '#libs/platform/ids.js';
import type { ArchivedBody, ArchiveRecord } from './store/archive.js';
import type { StreamEntry } from './store/entry-stream.js';
import { cleanText } from './clean-text.js';
import type { BodyCapture } from './usage-event.js';

const gzip = promisify(gzipCallback);

/** A body as it travels: gzipped, or as it came when it is too short to be worth it. */
export interface PackedBody {
  readonly data: Buffer;
  readonly gzipped: boolean;
}

const bodyMeta = z.object({ bytes: z.int32().nonnegative(), gzipped: z.boolean(), truncated: z.boolean() });
const metaSchema = z.object({
  id: z.string().refine((id) => idTimeMs(id) !== null, 'no id of ours'),
  orgId: z.string().min(1).transform(cleanText(128)),
  keyId: z.string().transform(cleanText(128)),
  model: z.string().transform(cleanText(512)),
  request: bodyMeta,
  response: bodyMeta,
});
type Meta = z.infer<typeof metaSchema>;

/** The JSON that travels beside two bodies. A body as long as `maxBodyBytes` is the one that was cut. */
export function encodeMeta(
  { id, orgId, keyId, model, requestBody, responseBody, truncated }: BodyCapture,
  packed: { readonly request: PackedBody; readonly response: PackedBody },
  maxBodyBytes: number,
): string {
  const isCut = (body: Buffer): boolean => truncated && body.length >= maxBodyBytes;
  const meta: Meta = {
    id,
    orgId,
    keyId,
    model,
    request: { bytes: requestBody.length, gzipped: packed.request.gzipped, truncated: isCut(requestBody) },
    response: { bytes: responseBody.length, gzipped: packed.response.gzipped, truncated: isCut(responseBody) },
  };
  return JSON.stringify(meta);
}

/** Reads an entry of the stream of bodies back; throws an Error that says what is wrong with it. */
export async function decodeBodyEntry(entry: StreamEntry): Promise<ArchiveRecord> {
  const [meta, request, response] = ['m', 'q', 'a'].map((name) => entry.fields.get(name));
  if (meta === undefined || request === undefined || response === undefined) throw new Error('a field is missing');
  const parsed = metaSchema.safeParse(parseJson(meta));
  if (!parsed.success) throw new Error(`meta: ${z.prettifyError(parsed.error)}`);
  const { id, orgId, keyId, model } = parsed.data;
  return {
    id,
    orgId,
    kind: 'llm',
    facets: { key: keyId, model },
    request: await toArchived(parsed.data.request, request),
    response: await toArchived(parsed.data.response, response),
  };
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    throw new Error('meta is not JSON');
  }
}

async function toArchived(meta: Meta['request'], data: Buffer): Promise<ArchivedBody> {
  return {
    bytes: meta.bytes,
    truncated: meta.truncated,
    gzip: meta.gzipped ? data : await gzip(data, { level: 1 }),
  };
}
