import { z } from 'zod';
import { MOST_USD } from '../money.js';
import {
  BUDGET_MODES,
  BUDGET_PERIODS,
  MOST_BUDGETS,
  MOST_PARALLEL,
  MOST_RPM,
  MOST_TPM,
  MOST_WARN_AT,
  MOST_WARNINGS,
  OWNER_NAME,
  TAG_NAME,
  WEEK_STARTS,
} from './governance.js';
import { chainSchema } from './chain-schema.js';
import { cloudProviderSettings } from './schema-cloud.js';

/**
 * The shape of `smartflow.yaml` (CFG-1). The schema is strict everywhere: an unknown key is an error with a suggestion.
 * Descriptions end up in the generated JSON schema (`docs/smartflow.schema.json`), which editors show.
 */

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a name has letters, digits, dots, dashes and underscores, at most 128');

/** A team, user, app or tag: keys name it, so it needs no more than to be one visible line that budgets can be counted under. */
const owner = z.string().regex(OWNER_NAME, 'a name is visible text of 1 to 128 characters without |, /, \\ and %');

/** Tags are only counted under, never part of an address. */
const tag = z.string().regex(TAG_NAME, 'a tag is visible text of 1 to 128 characters without |');

const timeZone = z.string().describe('IANA zone in which the period begins, e.g. Europe/Berlin');
const weekStart = z.literal(WEEK_STARTS).describe('first day of a week, default monday');

const budget = z.strictObject({
  limit_usd: z.number().positive().max(MOST_USD),
  period: z.enum(BUDGET_PERIODS),
  time_zone: timeZone.optional(),
  week_start: weekStart.optional(),
  mode: z
    .enum(BUDGET_MODES)
    .optional()
    .describe('when an estimate exceeds what is left: clamp the answer (default), refuse, or only count'),
  warn_at: z
    .array(z.number().positive().max(MOST_WARN_AT))
    .max(MOST_WARNINGS)
    .optional()
    .describe('shares of the limit at which to warn, e.g. [0.5, 0.8]'),
});
const budgets = z.array(budget).max(MOST_BUDGETS);

const limits = z.strictObject({
  rpm: z.int().positive().max(MOST_RPM).optional().describe('requests in any 60 seconds'),
  tpm: z.int().positive().max(MOST_TPM).optional().describe('tokens in any 60 seconds'),
  max_parallel: z.int().positive().max(MOST_PARALLEL).optional().describe('calls under way at the same time'),
});

export const providerTypes = [
  'openai',
  'anthropic',
  'google',
  'openai-compatible',
  'azure-openai',
  'bedrock',
  'vertex',
  'demo',
] as const;

const timeouts = z.strictObject({
  connect_ms: z.int().min(100).max(60_000).optional().describe('to open a connection, default 10000'),
  first_byte_ms: z.int().min(100).max(3_600_000).optional().describe('to the first byte of the answer, default 600000'),
  idle_ms: z.int().min(100).max(3_600_000).optional().describe('between two chunks of an answer, default 240000'),
  total_ms: z.int().min(100).max(86_400_000).optional().describe('for the whole call, default 1800000'),
});

const modelPatterns = z.array(z.string().min(1).max(256)).max(1000);

const httpUrl = z.url({ protocol: /^https?$/ });

const provider = z.strictObject({
  type: z.enum(providerTypes),
  base_url: httpUrl.optional().describe('required for openai-compatible and azure-openai'),
  api_key: z.string().optional().describe('bedrock: a Bedrock API key; vertex has none'),
  api_version: z.string().optional().describe('azure-openai: a dated API version; absent = the v1 API'),
  ...cloudProviderSettings,
  stream_usage: z
    .boolean()
    .optional()
    .describe('false: the server refuses stream_options, do not ask it for usage in streams'),
  default_tier: z
    .enum(['default', 'flex', 'priority', 'fast', 'scale'])
    .optional()
    .describe(
      'service tier that calls get which ask for none (a setting of the project at OpenAI); bounds are made with it',
    ),
  headers: z.record(z.string(), z.string()).optional().describe('sent with every call to this provider'),
  models: z.array(z.string()).optional().describe('models listed at /v1/models for this provider'),
  responses_only: modelPatterns.optional().describe('models without Chat Completions; chat callers are translated'),
  chat_only: modelPatterns.optional().describe('models without Responses; callers of Responses are translated'),
  timeouts: timeouts.optional(),
  on_client_gone: z
    .enum(['cancel', 'drain'])
    .optional()
    .describe('a caller left in mid-call: cancel the call (default), or read its answer to the end for the usage'),
  client_gone_bytes: z
    .int()
    .min(0)
    .max(1 << 30)
    .optional()
    .describe('drain: at most so many bytes after the caller left, default 16777216'),
  client_gone_ms: z
    .int()
    .min(0)
    .max(3_600_000)
    .optional()
    .describe('drain: at most so long after the caller left, default 120000'),
});

const model = z.strictObject({
  target: z
    .string()
    .regex(/^[^/\s]+\/\S+$/, 'write provider/model')
    .describe('provider/model'),
  context_tokens: z.int().positive().optional().describe('context window; from 1000000 on, an [1m] sibling is listed'),
  limits: limits.optional().describe('of the target, for all callers together'),
  chain: name.optional().describe('fallback chain that stands behind this model'),
});

const key = z.strictObject({
  name,
  key: z
    .string()
    .optional()
    .describe('the secret, usually ${SOME_VARIABLE:-}; empty = one is made and kept in the data folder'),
  team: owner.optional(),
  user: owner.optional(),
  app: owner.optional(),
  models: z.array(z.string().min(1)).optional().describe('model names or globs such as gpt-* ; default all'),
  routes: z.array(z.string().min(1)).optional().describe('route globs such as /anthropic/* ; default all'),
  tags: z.array(tag).optional(),
  budgets: budgets.optional(),
  limits: limits.optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  chain: name.optional().describe('fallback chain that stands behind the models it asks for'),
  cache: z.strictObject({ semantic: z.boolean().optional() }).optional(),
});

const ownerSettings = z.strictObject({
  display_name: z.string().min(1).max(128).optional(),
  models: z.array(z.string().min(1)).optional().describe('what its keys may use at most; default all'),
  budgets: budgets.optional(),
  limits: limits.optional(),
});

const teamSettings = ownerSettings.extend({
  chain: name.optional().describe('fallback chain that stands behind the models its keys ask for'),
});

const price = z.strictObject({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cached_input: z.number().nonnegative().optional(),
  cache_write_5m: z.number().nonnegative().optional(),
  cache_write_1h: z.number().nonnegative().optional(),
  input_audio: z.number().nonnegative().optional(),
  output_audio: z.number().nonnegative().optional(),
  input_image: z.number().nonnegative().optional(),
  output_image: z.number().nonnegative().optional(),
  web_search: z.number().nonnegative().optional().describe('USD per thousand searches run by the provider'),
  from: z.iso.date().optional().describe('first day in force (UTC); default: always'),
});

const mcpServer = z.strictObject({
  url: z.url().optional(),
  command: z.array(z.string()).min(1).optional(),
  credential_mode: z.enum(['gateway', 'passthrough', 'optional']).optional(),
  credentials: z.strictObject({ headers: z.record(z.string(), z.string()).optional() }).optional(),
});

export const configSchema = z.strictObject({
  listen: z
    .string()
    .regex(/^[^\s]*:\d{1,5}$/, 'write :port or address:port')
    .optional()
    .describe('address to serve on, default 127.0.0.1:8080'),
  data_dir: z.string().optional().describe('embedded stores, generated secrets; default ./data'),
  stores: z
    .strictObject({
      redis: z.string().optional().describe('redis:// URL; empty = embedded, "bundled" = never a server found on PATH'),
      postgres: z
        .string()
        .optional()
        .describe('postgres:// URL; empty = embedded, "bundled" = never a server found on PATH'),
      mongodb: z.string().optional().describe('mongodb:// URL of the archive; empty = bodies are kept in PostgreSQL'),
    })
    .optional(),
  egress: z
    .strictObject({
      allow: z
        .array(z.union([z.cidrv4(), z.cidrv6()]))
        .optional()
        .describe('private networks that upstreams may lie in'),
    })
    .optional(),
  limits: z
    .strictObject({
      body_bytes: z
        .int()
        .min(1024)
        .max(1 << 30)
        .optional()
        .describe('largest request body, default 20971520'),
      drain_ms: z
        .int()
        .min(0)
        .max(3_600_000)
        .optional()
        .describe('how long streams may run on after SIGTERM, default 120000'),
      client_gone_calls: z
        .int()
        .min(0)
        .max(100_000)
        .optional()
        .describe('calls without a caller that a gateway reads to their end at once, default 64; more are cancelled'),
    })
    .optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).optional() }).optional(),
  archive: z
    .strictObject({
      bodies: z.boolean().optional().describe('keep request and response bodies, default true'),
      max_body_bytes: z
        .int()
        .min(0)
        .max(15 * 1024 * 1024)
        .optional()
        .describe('longer bodies are cut, default 1048576'),
      retention_days: z.int().positive().max(3650).optional().describe('default 30'),
    })
    .optional(),
  ledger: z
    .strictObject({
      retention_days: z.int().positive().max(36_500).optional().describe('rows of single calls, default 400'),
      report_retention_days: z
        .int()
        .positive()
        .max(36_500)
        .optional()
        .describe('sums that spend reports are made from, default 1200'),
    })
    .optional(),
  providers: z.record(name, provider).optional(),
  models: z.record(z.string().min(1).max(256), model).optional(),
  fallback_chains: z.record(name, chainSchema).optional(),
  org: z
    .strictObject({
      display_name: z.string().min(1).max(128).optional(),
      time_zone: timeZone.optional().describe('of budgets that name none, default UTC'),
      week_start: weekStart.optional(),
      budgets: budgets.optional(),
      limits: limits.optional(),
    })
    .optional()
    .describe('the organisation as a whole'),
  teams: z.record(owner, teamSettings).optional(),
  users: z.record(owner, ownerSettings).optional(),
  apps: z.record(owner, ownerSettings).optional(),
  tags: z.record(owner, z.strictObject({ budgets: budgets.optional() })).optional(),
  keys: z.array(key).optional(),
  prices: z
    .record(z.string().regex(/^[^/\s]+\/\S+$/, 'write provider/model'), price)
    .optional()
    .describe('overrides, USD per million tokens'),
  pricing: z
    .strictObject({
      unpriced: z
        .enum(['allow', 'refuse'])
        .optional()
        .describe('calls to models without a known price, default allow; under a hard budget they are always refused'),
    })
    .optional(),
  cache: z.strictObject({ semantic: z.boolean().optional(), ttl_s: z.int().positive().optional() }).optional(),
  servers: z.record(name, mcpServer).optional(),
  roles: z
    .record(name, z.strictObject({ allow: z.array(z.string()).optional(), deny: z.array(z.string()).optional() }))
    .optional(),
  api_keys: z.array(z.strictObject({ name, key: z.string(), role: z.string() })).optional(),
});

/** The file as written, after `${VAR}` was filled in and its shape was checked. */
export type ConfigFile = z.infer<typeof configSchema>;
export type ProviderType = (typeof providerTypes)[number];
