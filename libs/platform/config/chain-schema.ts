import { z } from 'zod';

/**
 * The shape of a fallback chain (RTE-1), the same in `fallback_chains` of the file and in the body of
 * `/api/routing/fallback-chains`. What each class of failure means stands in `docs/routing.md`.
 */

/** What can go wrong with one attempt. */
export const FAILURE_CLASSES = [
  'rate_limit',
  'request_too_large',
  'quota',
  'request_timeout',
  'server_error',
  'overloaded',
  'connect',
  'dns',
  'tls',
  'first_byte_timeout',
  'stall',
  'cut',
  'late_stall',
  'late_cut',
  'auth',
  'unknown_model',
  'invalid_request',
  'context_length',
  'content_refusal',
  'error_body',
  'bad_answer',
  'bad_output',
  'own_refusal',
  'caller_left',
] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** Not a target's doing and not to be repeated by anybody: always given to the caller. */
type FixedClass = 'own_refusal' | 'caller_left';
/** Met after content has reached the caller: `retry.after_content` decides. */
type LateClass = 'late_stall' | 'late_cut';

type RoutedClass = Exclude<FailureClass, FixedClass>;
const isRouted = (name: FailureClass): name is RoutedClass => name !== 'own_refusal' && name !== 'caller_left';
const isOverridable = (name: FailureClass): name is Exclude<RoutedClass, LateClass> =>
  isRouted(name) && name !== 'late_stall' && name !== 'late_cut';

/**
 * What is done about a failure: `retry` the same target (then the next), go to the `next` one at once, to a `larger` model
 * only, or `give` the failure to the caller.
 */
export const FAILURE_ACTIONS = ['retry', 'next', 'larger', 'give'] as const;
export type FailureAction = (typeof FAILURE_ACTIONS)[number];

export const STRATEGIES = ['weighted', 'round-robin', 'least-busy', 'latency', 'cost'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export const CHAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
export const MOST_STEPS = 16;
export const MOST_TARGETS = 32;
export const MOST_ATTEMPTS = 20;

const ms = (min: number, max: number) => z.int().min(min).max(max);

const target = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[\x21-\x7e]+$/, 'must be a model, such as openai/gpt-5, or the name of a chain')
    .describe('provider/model, a name of models, or another chain (alone in its step)'),
  weight: z.number().min(0).max(1_000_000).optional().describe('share of the calls, default 1; 0 = parked'),
  timeout_ms: ms(100, 3_600_000).optional().describe('to the first content; default: first_byte_ms of the provider'),
  idle_ms: ms(100, 3_600_000).optional().describe('between two chunks; default: idle_ms of the provider'),
});

const step = z.strictObject({
  strategy: z.enum(STRATEGIES).optional().describe('how one of the targets is chosen, default weighted'),
  on: z
    .array(z.enum(FAILURE_CLASSES.filter(isRouted)))
    .min(1)
    .optional()
    .describe('use this step only after a failure of these classes'),
  targets: z.array(target).min(1).max(MOST_TARGETS),
});

const retry = z.strictObject({
  max_attempts: z.int().min(1).max(MOST_ATTEMPTS).optional().describe('of one request, all targets together'),
  attempts_per_target: z.int().min(1).max(MOST_ATTEMPTS).optional().describe('default 2'),
  deadline_ms: ms(100, 3_600_000)
    .optional()
    .describe('to the first content, all attempts together; default: longest total_ms of its providers'),
  base_ms: ms(1, 60_000).optional().describe('first back-off, doubled each time, default 250'),
  max_backoff_ms: ms(1, 300_000).optional().describe('longest back-off, default 8000'),
  after_content: z
    .enum(['give', 'next'])
    .optional()
    .describe(
      'next: go on at another target when an answer breaks off that the caller has begun to read; default give',
    ),
});

export const chainSchema = z.strictObject({
  steps: z.array(step).min(1).max(MOST_STEPS),
  retry: retry.optional(),
  errors: z
    .partialRecord(z.enum(FAILURE_CLASSES.filter(isOverridable)), z.enum(FAILURE_ACTIONS))
    .optional()
    .describe('what is done about a class of failure, where it differs from docs/routing.md'),
  affinity: z
    .enum(['conversation', 'none'])
    .optional()
    .describe('conversation (default): the turns of one conversation go to one target, for its prompt cache'),
});

/** A chain as written. */
export type WrittenChain = z.infer<typeof chainSchema>;

export interface ChainTargetConfig {
  readonly model: string;
  readonly weight: number;
  /** `null`: the provider's. */
  readonly timeoutMs: number | null;
  readonly idleMs: number | null;
}

export interface ChainStepConfig {
  readonly strategy: Strategy;
  /** `null`: after any failure. */
  readonly on: readonly FailureClass[] | null;
  readonly targets: readonly ChainTargetConfig[];
}

/** `null`: the default, which may depend on the targets. */
export interface ChainRetryConfig {
  readonly maxAttempts: number | null;
  readonly attemptsPerTarget: number | null;
  readonly deadlineMs: number | null;
  readonly baseMs: number | null;
  readonly maxBackoffMs: number | null;
  readonly afterContent: 'give' | 'next';
}

/** A fallback chain without its name. */
export interface ChainSettings {
  readonly steps: readonly ChainStepConfig[];
  readonly retry: ChainRetryConfig;
  readonly errors: Readonly<Partial<Record<FailureClass, FailureAction>>>;
  readonly affinity: 'conversation' | 'none';
}

/** A fallback chain declared in the file. */
export interface ChainConfig extends ChainSettings {
  readonly name: string;
}

/** A chain that has the right shape, with its defaults filled in. */
export function compileChainSettings(chain: WrittenChain): ChainSettings {
  const { retry: limits } = chain;
  return {
    steps: chain.steps.map(({ strategy, on, targets }) => ({
      strategy: strategy ?? 'weighted',
      on: on === undefined ? null : [...new Set(on)],
      targets: targets.map(({ model, weight, timeout_ms, idle_ms }) => ({
        model,
        weight: weight ?? 1,
        timeoutMs: timeout_ms ?? null,
        idleMs: idle_ms ?? null,
      })),
    })),
    retry: {
      maxAttempts: limits?.max_attempts ?? null,
      attemptsPerTarget: limits?.attempts_per_target ?? null,
      deadlineMs: limits?.deadline_ms ?? null,
      baseMs: limits?.base_ms ?? null,
      maxBackoffMs: limits?.max_backoff_ms ?? null,
      afterContent: limits?.after_content ?? 'give',
    },
    errors: { ...chain.errors },
    affinity: chain.affinity ?? 'conversation',
  };
}

/** The other way round, as the API shows a chain: only what was set. */
export function writeChain(chain: ChainSettings): WrittenChain {
  const { retry: limits } = chain;
  return {
    steps: chain.steps.map(({ strategy, on, targets }) => ({
      strategy,
      ...(on === null ? {} : { on: on.filter(isRouted) }),
      targets: targets.map(({ model, weight, timeoutMs, idleMs }) => ({
        model,
        weight,
        ...(timeoutMs === null ? {} : { timeout_ms: timeoutMs }),
        ...(idleMs === null ? {} : { idle_ms: idleMs }),
      })),
    })),
    retry: {
      ...(limits.maxAttempts === null ? {} : { max_attempts: limits.maxAttempts }),
      ...(limits.attemptsPerTarget === null ? {} : { attempts_per_target: limits.attemptsPerTarget }),
      ...(limits.deadlineMs === null ? {} : { deadline_ms: limits.deadlineMs }),
      ...(limits.baseMs === null ? {} : { base_ms: limits.baseMs }),
      ...(limits.maxBackoffMs === null ? {} : { max_backoff_ms: limits.maxBackoffMs }),
      after_content: limits.afterContent,
    },
    errors: { ...chain.errors },
    affinity: chain.affinity,
  };
}
