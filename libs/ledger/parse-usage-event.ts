import { z } from 'zod';
import { idTimeMs } from '#libs/platform/ids.js';
import { cleanText } from './clean-text.js';
import type { UsageEvent } from './usage-event.js';

const text = (maxLength: number) => z.string().transform(cleanText(maxLength));
/** A provider may report nonsense; the row keeps the nearest whole number that can be stored, `raw` what was said. */
const tokens = z.unknown().transform((count) => {
  if (typeof count !== 'number' || Number.isNaN(count)) return 0;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(count)));
});
const httpStatus = z.int().min(0).max(999);
const durationMs = z.number().nonnegative();

const counted = z
  .number()
  .optional()
  .transform((count) => (count === undefined ? undefined : tokens.parse(count)));
const media = {
  inputAudioTokens: counted,
  inputImageTokens: counted,
  inputVideoTokens: counted,
  cachedAudioTokens: counted,
  cachedImageTokens: counted,
  outputAudioTokens: counted,
  outputImageTokens: counted,
  outputVideoTokens: counted,
};
const counts = {
  inputTokens: tokens,
  cachedInputTokens: tokens,
  cacheWrite5mTokens: tokens,
  cacheWrite1hTokens: tokens,
  outputTokens: tokens,
  reasoningTokens: tokens,
};
const details = z.object({
  serviceTier: text(64).optional(),
  region: text(64).optional(),
  ...media,
  fileSearchRequests: counted,
  codeSessions: counted,
  searchPreview: z.literal(true).optional(),
  parts: z
    .array(z.object({ kind: text(64), model: text(256).nullable(), ...counts, ...media }))
    .max(512)
    .optional(),
});

const usage = z.object({
  ...counts,
  webSearchRequests: tokens,
  // An event of an older gateway has none.
  details: details.nullable().default(null),
  raw: text(64 * 1024),
});

/** Fields that a newer gateway adds are ignored; texts are made storable rather than refused. */
const schema = z.object({
  id: z.string().refine((id) => id.startsWith('req_') && idTimeMs(id) !== null, 'not a request id'),
  orgId: text(128),
  keyId: text(128),
  keyName: text(256),
  team: text(256).nullable(),
  user: text(256).nullable().default(null), // absent in events of gateways of an earlier version
  app: text(256).nullable().default(null),
  tags: z.array(text(128)).transform((tags) => tags.slice(0, 256)),
  route: text(256),
  dialect: text(64),
  provider: text(128),
  modelRequested: text(512),
  model: text(512),
  stream: z.boolean(),
  status: httpStatus,
  upstreamStatus: httpStatus.nullable(),
  error: text(64).nullable(),
  usage: usage.nullable(),
  usageSource: z.enum(['measured', 'partial', 'none']),
  costNanos: z.int().nonnegative(),
  priceVersion: text(256).nullable(),
  costEstimates: z
    .array(text(64))
    .default([])
    .transform((reasons) => reasons.slice(0, 16)),
  latencyMs: durationMs,
  firstByteMs: durationMs.nullable(),
  attempts: z.int().min(0).max(30_000),
  chain: text(128).nullable().default(null), // absent in events of gateways of an earlier version
  requestId: text(64).nullable().default(null),
  traceId: text(128).nullable(),
});

/** One event, or why it cannot be stored. */
export function parseUsageEvent(item: unknown): { readonly event: UsageEvent } | { readonly reason: string } {
  const parsed = schema.safeParse(item);
  return parsed.success ? { event: parsed.data as UsageEvent } : { reason: z.prettifyError(parsed.error) };
}
