/** Token counts of one piece of work by one model. All numbers are tokens. */
export interface TokenCounts {
  readonly inputTokens: number;
  /** Part of `inputTokens` read from the provider's prompt cache. */
  readonly cachedInputTokens: number;
  /** Part of `inputTokens` written to the provider's prompt cache for its short time (Anthropic 5 minutes, OpenAI 30), or with no stated time. */
  readonly cacheWrite5mTokens: number;
  /** Part of `inputTokens` written to the provider's prompt cache for its long time (Anthropic 1 hour, OpenAI 12). */
  readonly cacheWrite1hTokens: number;
  /** Everything that came out, reasoning included. */
  readonly outputTokens: number;
  /** Part of `outputTokens` spent on reasoning; informs, is not priced apart. */
  readonly reasoningTokens: number;
}

/** Media tokens inside the totals of a `TokenUsage`. All are token counts. */
export interface MediaTokens {
  readonly inputAudioTokens?: number;
  readonly inputImageTokens?: number;
  readonly inputVideoTokens?: number;
  /** Part of both `inputAudioTokens` and `cachedInputTokens`. */
  readonly cachedAudioTokens?: number;
  /** Part of both `inputImageTokens` and `cachedInputTokens`. */
  readonly cachedImageTokens?: number;
  readonly outputAudioTokens?: number;
  readonly outputImageTokens?: number;
  readonly outputVideoTokens?: number;
}

/** One step of a call that is billed by itself, such as an entry of Anthropic's `usage.iterations`. */
export interface UsagePart extends TokenCounts, MediaTokens {
  /** Such as `message`, `compaction`, `advisor_message`, `fallback_message`, `image_generation`. */
  readonly kind: string;
  /** The model that did it; `null`: the call's own. */
  readonly model: string | null;
}

/** What few calls have beside plain tokens, and what decides the price. Only what is there stands in it. */
export interface UsageDetails extends MediaTokens {
  /** The service tier that served the call, in lower case and the provider's words (`priority`, `flex`, `fast`, `batch` …). Absent: the standard one. */
  readonly serviceTier?: string;
  /** Where inference ran, where that is priced (Anthropic's `inference_geo`, such as `us`). Absent: anywhere. */
  readonly region?: string;
  /** File searches run by the provider on the caller's behalf, priced per use. */
  readonly fileSearchRequests?: number;
  /** Containers the provider started to run code in, priced each. */
  readonly codeSessions?: number;
  /** The searches were made with OpenAI's older tool (`web_search_preview`), which has a fee of its own. */
  readonly searchPreview?: true;
  /** The call was several billed steps: these, and not the totals, are what is priced. */
  readonly parts?: readonly UsagePart[];
}

/**
 * What one upstream call consumed, in one shape for all dialects. All numbers are token counts unless the name says otherwise.
 * `inputTokens` is everything that went in, cached tokens included; what a dialect reports otherwise (Anthropic's
 * `input_tokens` excludes cached ones) is added up by its reader. With `details.parts` the counts are their sums.
 */
export interface TokenUsage extends TokenCounts {
  /** Searches run by the provider on the caller's behalf, priced per use. */
  readonly webSearchRequests: number;
  /** `null`: an ordinary call, priced from the counts above alone. */
  readonly details: UsageDetails | null;
  /**
   * The usage object as received (JSON text), so that every cost can be replayed. Of an Anthropic stream, which reports in two
   * parts, both merged: the last value of each field.
   */
  readonly raw: string;
}

/** Facts of an answer that stand outside its usage object and decide its price. */
export interface BesideUsage {
  readonly serviceTier?: string | undefined;
  readonly webSearchRequests?: number;
  readonly fileSearchRequests?: number;
  readonly codeSessions?: number;
  readonly searchPreview?: true | undefined;
  /** Work of other models that the usage object does not contain (OpenAI's `tool_usage.image_gen`). */
  readonly moreParts?: readonly UsagePart[];
}

/** The kind of part that stands beside a usage object, not in it. */
export const IMAGE_GENERATION = 'image_generation';

/** The facts of `BesideUsage` in usage that was read before, to read its `raw` again. */
export function besideOf(usage: Pick<TokenUsage, 'webSearchRequests' | 'details'>): BesideUsage {
  const { serviceTier, fileSearchRequests = 0, codeSessions = 0, searchPreview, parts = [] } = usage.details ?? {};
  return {
    serviceTier,
    webSearchRequests: usage.webSearchRequests,
    fileSearchRequests,
    codeSessions,
    searchPreview,
    moreParts: parts.filter(({ kind }) => kind === IMAGE_GENERATION),
  };
}

/** The counts of several parts added up. */
export function sumOf(parts: readonly TokenCounts[]): TokenCounts {
  const sum = {
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
  };
  for (const part of parts) for (const name of Object.keys(sum) as (keyof TokenCounts)[]) sum[name] += part[name];
  return sum;
}

/** A token count as a provider reports it: anything but a non-negative number counts as 0. */
export function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

/** Whether a usage report has one of these counts in a form that can be read; a report without any tells nothing. */
export function hasCount(usage: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  return names.some((name) => {
    const value = usage[name];
    return typeof value === 'number' && Number.isFinite(value) && value >= 0;
  });
}

/** A nested object of a usage report, or an empty one. */
export function nested(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** Names under which providers report that nothing special was done. */
const ORDINARY = new Set(['', 'default', 'standard', 'auto', 'on_demand', 'traffic_type_unspecified', 'unspecified']);
const MAX_NAME_CHARS = 64;

/** A service tier as reported, in lower case; `undefined` for the standard one and for what is no name. */
export function tierOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_NAME_CHARS) return undefined;
  const name = value.toLowerCase();
  return ORDINARY.has(name) ? undefined : name;
}

/** The usage as served by a tier that only a header of the answer names. */
export function withServiceTier(usage: TokenUsage, tier: string): TokenUsage {
  const serviceTier = tierOf(tier);
  if (serviceTier === undefined || usage.details?.serviceTier !== undefined) return usage;
  return { ...usage, details: { ...usage.details, serviceTier } };
}

/** The details with everything that is absent or zero left out; `null` when nothing is left. */
export function detailsOf(all: {
  readonly [K in keyof UsageDetails]: UsageDetails[K] | undefined;
}): UsageDetails | null {
  let kept: Record<string, unknown> | null = null;
  for (const name in all) {
    const value = all[name as keyof UsageDetails];
    if (value === undefined || value === 0) continue;
    kept ??= {};
    kept[name] = value;
  }
  return kept;
}
