import { z } from 'zod';
import { cloudProviderSettings } from './schema-cloud.js';

/**
 * The shape of `smartflow.yaml` (CFG-1). The schema is strict everywhere: an unknown key is an error with a suggestion.
 * Descriptions end up in the generated JSON schema (`docs/smartflow.schema.json`), which editors show.
 */

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a name has letters, digits, dots, dashes and underscores, at most 128');

const budget = z.strictObject({
  limit_usd: z.number().positive().max(9_000_000),
  period: z.enum(['daily', 'weekly', 'monthly', 'lifetime']),
  time_zone: z.string().optional().describe('IANA zone in which the period begins, e.g. Europe/Berlin'),
  mode: z.enum(['clamp', 'strict', 'soft']).optional(),
});

const limits = z.strictObject({
  rpm: z.int().positive().optional(),
  tpm: z.int().positive().optional(),
  max_parallel: z.int().positive().optional(),
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
  headers: z.record(z.string(), z.string()).optional().describe('sent with every call to this provider'),
  models: z.array(z.string()).optional().describe('models listed at /v1/models for this provider'),
  timeouts: timeouts.optional(),
});

const model = z.strictObject({
  target: z
    .string()
    .regex(/^[^/\s]+\/\S+$/, 'write provider/model')
    .describe('provider/model'),
  context_tokens: z.int().positive().optional().describe('context window; from 1000000 on, an [1m] sibling is listed'),
});

const chainTarget = z.strictObject({
  model: z.string(),
  weight: z.number().nonnegative().optional(),
  timeout_ms: z.int().positive().optional(),
});

const chain = z.strictObject({
  steps: z
    .array(
      z.strictObject({
        strategy: z.enum(['weighted', 'round-robin', 'least-busy', 'latency', 'cost']).optional(),
        targets: z.array(chainTarget).min(1),
      }),
    )
    .min(1),
  retry: z.strictObject({ max_attempts: z.int().positive().optional() }).optional(),
});

const key = z.strictObject({
  name,
  key: z
    .string()
    .optional()
    .describe('the secret, usually ${SOME_VARIABLE:-}; empty = one is made and kept in the data folder'),
  team: z.string().optional(),
  user: z.string().optional(),
  app: z.string().optional(),
  models: z.array(z.string().min(1)).optional().describe('model names or globs such as gpt-* ; default all'),
  routes: z.array(z.string().min(1)).optional().describe('route globs such as /anthropic/* ; default all'),
  tags: z.array(z.string().min(1).max(128)).optional(),
  budgets: z.array(budget).optional(),
  limits: limits.optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  cache: z.strictObject({ semantic: z.boolean().optional() }).optional(),
});

const price = z.strictObject({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cached_input: z.number().nonnegative().optional(),
  cache_write_5m: z.number().nonnegative().optional(),
  cache_write_1h: z.number().nonnegative().optional(),
  from: z.iso.date().optional(),
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
    .strictObject({ retention_days: z.int().positive().max(36_500).optional().describe('default 400') })
    .optional(),
  providers: z.record(name, provider).optional(),
  models: z.record(z.string().min(1).max(256), model).optional(),
  fallback_chains: z.record(name, chain).optional(),
  teams: z
    .record(
      name,
      z.strictObject({
        budgets: z.array(budget).optional(),
        limits: limits.optional(),
        models: z.array(z.string()).optional(),
      }),
    )
    .optional(),
  keys: z.array(key).optional(),
  prices: z
    .record(z.string().regex(/^[^/\s]+\/\S+$/, 'write provider/model'), price)
    .optional()
    .describe('overrides, USD per million tokens'),
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
