import type { DialectName } from './dialect.js';

/** What routing and relaying look at in every body. */
const ALWAYS = ['model', 'stream', 'stream_options', 'messages', 'input', 'background'];

/** What decides the largest bill a request can run up; see `requestFacts`. */
const OPENAI = [
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'n',
  'best_of',
  'tools',
  'max_tool_calls',
  'service_tier',
  'web_search_options',
  'prediction',
  'modalities',
  'previous_response_id',
  'conversation',
  'prompt',
  'prompt_cache_retention',
  'prompt_cache_options',
  'context_management',
  // of servers that route by themselves: another model may answer, or be asked too
  'models',
  'route',
  'plugins',
];
const ANTHROPIC = [
  'max_tokens',
  'tools',
  'service_tier',
  'speed',
  'inference_geo',
  'thinking',
  'cache_control',
  'context_management',
  'fallbacks',
  'mcp_servers',
  'container',
  'thread',
];
const GEMINI = [
  // embedding requests name their model in the body as well
  'model',
  'requests',
  'generationConfig',
  'generation_config',
  'tools',
  'cachedContent',
  'cached_content',
  'serviceTier',
  'service_tier',
];

/** The top-level fields that are watched in a request body of each dialect. */
export const REQUEST_FIELDS: Readonly<Record<DialectName, ReadonlySet<string>>> = {
  openai: new Set([...ALWAYS, ...OPENAI]),
  anthropic: new Set([...ALWAYS, ...ANTHROPIC]),
  gemini: new Set(GEMINI),
};
