/**
 * Features of the Anthropic API that come in two halves: a value of the `anthropic-beta` header and fields of the body. Half
 * a feature is refused ("Extra inputs are not permitted"), so both go on or neither does.
 */
export interface PairedFeature {
  /** Beginning of the names of its betas; their dates differ. */
  readonly betas: readonly string[];
  /** Fields at the top of the body. */
  readonly fields: readonly string[];
  /** Fields of the elements of `tools`. */
  readonly toolFields: readonly string[];
}

const feature = (betas: string[], fields: string[], toolFields: string[] = []): PairedFeature => ({
  betas,
  fields,
  toolFields,
});

/** Anthropic API reference, "Beta headers" and the pages of the features; autumn 2026. */
export const PAIRED_FEATURES: readonly PairedFeature[] = [
  feature(['context-management-', 'compact-'], ['context_management']),
  feature(['effort-', 'structured-outputs-', 'mid-conversation-output-config-'], ['output_config']),
  feature(['structured-outputs-'], ['output_format'], ['strict']),
  feature(['tool-search-tool-', 'advanced-tool-use-'], [], ['defer_loading']),
  feature(['tool-examples-', 'advanced-tool-use-'], [], ['input_examples']),
  feature(['advanced-tool-use-', 'code-execution-'], [], ['allowed_callers']),
  feature(['fine-grained-tool-streaming-'], [], ['eager_input_streaming']),
  feature(['mcp-client-'], ['mcp_servers']),
  feature(['skills-', 'code-execution-'], ['container']),
  feature(['fast-mode-'], ['speed']),
];

/** What an upstream serves of the Anthropic API. A new row here, or `anthropic_betas` of the provider, adds a beta. */
export interface Capabilities {
  /** Value of `anthropic_version` in the body. */
  readonly version: string;
  /** Where betas are written. */
  readonly betasIn: 'body' | 'header';
  /** Betas it serves. */
  readonly betas: ReadonlySet<string>;
  /** Betas it knows under another name. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Fields it refuses with or without a beta. */
  readonly refusedFields: readonly string[];
}

const RENAMED = new Map([['advanced-tool-use-2025-11-20', 'tool-search-tool-2025-10-19']]);
const NOT_IN_CLOUDS = ['mcp_servers', 'container', 'speed'];

/** AWS, "Anthropic Claude Messages API: request and response" (`anthropic_beta`), and what gateways report to work. */
export const BEDROCK: Capabilities = {
  version: 'bedrock-2023-05-31',
  betasIn: 'body',
  betas: new Set([
    'compact-2026-01-12',
    'computer-use-2024-10-22',
    'computer-use-2025-01-24',
    'computer-use-2025-11-24',
    'context-1m-2025-08-07',
    'context-management-2025-06-27',
    'dev-full-thinking-2025-05-14',
    'effort-2025-11-24',
    'fine-grained-tool-streaming-2025-05-14',
    'interleaved-thinking-2025-05-14',
    'output-128k-2025-02-19',
    'token-efficient-tools-2025-02-19',
    'tool-examples-2025-10-29',
    'tool-search-tool-2025-10-19',
  ]),
  renamed: RENAMED,
  refusedFields: [...NOT_IN_CLOUDS, 'inference_geo', 'service_tier'],
};

/** Google, "Claude on Vertex AI": betas stay in the header there, as Anthropic's own Vertex client sends them. */
export const VERTEX: Capabilities = {
  version: 'vertex-2023-10-16',
  betasIn: 'header',
  betas: new Set([
    'compact-2026-01-12',
    'compact-2026-09-04',
    'computer-use-2025-01-24',
    'computer-use-2025-11-24',
    'context-1m-2025-08-07',
    'context-management-2025-06-27',
    'interleaved-thinking-2025-05-14',
    'tool-search-tool-2025-10-19',
    'web-search-2025-03-05',
  ]),
  renamed: RENAMED,
  refusedFields: [...NOT_IN_CLOUDS, 'inference_geo', 'service_tier'],
};

/** The same with betas the operator knows to be served. */
export function withBetas(capabilities: Capabilities, more: readonly string[]): Capabilities {
  return more.length === 0 ? capabilities : { ...capabilities, betas: new Set([...capabilities.betas, ...more]) };
}

/** The betas that go on, and those that do not; each once. */
export function sortBetas(
  capabilities: Capabilities,
  asked: readonly string[],
): { readonly served: readonly string[]; readonly refused: readonly string[] } {
  const served = new Set<string>();
  const refused = new Set<string>();
  for (const beta of asked) {
    const renamed = capabilities.betas.has(beta) ? beta : capabilities.renamed.get(beta);
    if (renamed !== undefined && capabilities.betas.has(renamed)) served.add(renamed);
    else refused.add(beta);
  }
  return { served: [...served], refused: [...refused] };
}
