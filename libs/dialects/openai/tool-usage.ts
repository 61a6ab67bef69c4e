import { parseSpan, type Span } from '../scan.js';
import { type BesideUsage, count, detailsOf, IMAGE_GENERATION, nested, type UsagePart } from '../usage.js';

/** Items of a Responses answer that carry a fee, or whose tokens another model bills. */
const BILLED_ITEMS = ['"web_search_call"', '"file_search_call"', '"code_interpreter_call"', '"shell_call"'];

/**
 * Fees of the tools OpenAI ran for a Responses call: they stand beside its usage, as items of `output`, and for searches and
 * images in `tool_usage`. An answer without them costs four searches for a word.
 */
export function toolsOf(json: Buffer, fields: ReadonlyMap<string, Span>): BesideUsage {
  const output = fields.get('output');
  const reported = nested(valueOf(json, fields.get('tool_usage')));
  const images = nested(reported.image_gen);
  const text = output === undefined ? null : json.subarray(output.start, output.end);
  const isBilled = text !== null && BILLED_ITEMS.some((item) => text.includes(item));
  if (!isBilled && count(images.total_tokens) === 0) return {};
  const tools = listOf(valueOf(json, fields.get('tools')));
  const items = isBilled ? listOf(valueOf(json, output)) : [];
  const searches = nested(reported.web_search).num_requests;
  return {
    webSearchRequests: typeof searches === 'number' ? count(searches) : items.filter(isSearch).length,
    fileSearchRequests: items.filter((item) => item.type === 'file_search_call').length,
    codeSessions: new Set(items.map(containerOf).filter((id) => id !== null)).size,
    searchPreview: tools.some(({ type }) => String(type).startsWith('web_search_preview')) ? true : undefined,
    moreParts: imageParts(images, tools),
  };
}

function valueOf(json: Buffer, span: Span | undefined): unknown {
  return span === undefined ? undefined : parseSpan(json, span);
}

function listOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(nested) : [];
}

/** Only searches have a fee; opening a page or looking into it has none, nor has a search that failed. */
function isSearch(item: Record<string, unknown>): boolean {
  if (item.type !== 'web_search_call' || item.status === 'failed') return false;
  return (nested(item.action).type ?? 'search') === 'search';
}

function containerOf(item: Record<string, unknown>): string | null {
  if (item.type !== 'code_interpreter_call' && item.type !== 'shell_call') return null;
  const id = item.container_id ?? nested(item.environment).container_id;
  return typeof id === 'string' ? id : null;
}

/** Pictures made on the way are billed in the tokens of the image model that the tool names. */
function imageParts(images: Record<string, unknown>, tools: readonly Record<string, unknown>[]): readonly UsagePart[] {
  if (count(images.total_tokens) === 0) return [];
  const named = tools.find(({ type }) => type === IMAGE_GENERATION)?.model;
  const inDetails = nested(images.input_tokens_details);
  const outDetails = nested(images.output_tokens_details);
  const cachedDetails = nested(images.cached_tokens_details);
  const outputTokens = count(images.output_tokens);
  return [
    {
      kind: IMAGE_GENERATION,
      model: typeof named === 'string' ? named : DEFAULT_IMAGE_MODEL,
      inputTokens: count(images.input_tokens),
      cachedInputTokens: count(images.cached_tokens),
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens,
      reasoningTokens: 0,
      ...detailsOf({
        inputImageTokens: count(inDetails.image_tokens),
        cachedImageTokens: count(cachedDetails.cached_image_tokens),
        outputImageTokens: outDetails.image_tokens === undefined ? outputTokens : count(outDetails.image_tokens),
      }),
    },
  ];
}

/** The tool's default where the answer does not repeat a model. */
const DEFAULT_IMAGE_MODEL = 'gpt-image-2';
