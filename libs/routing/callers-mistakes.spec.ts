import type { DialectName } from '#libs/dialects/index.js';
import { FAILURE_CLASSES, type FailureClass } from '#libs/platform/config.js';
import { PLAIN, routingBench } from '../../test/fakes/routing.js';
import { classifyAnswer, classifyStreamError } from './classify-answer.js';
import { ERROR_MATRIX } from './error-matrix.js';
import { failureOf, type Failure } from './failure.js';

const answered = (dialect: DialectName, status: number, error: unknown): Failure => ({
  class: classifyAnswer(dialect, status, Buffer.from(JSON.stringify({ error }))),
  status,
  retryAfterMs: 5_000,
});
const streamed = (dialect: DialectName, event: unknown): Failure => ({
  class: classifyStreamError(dialect, Buffer.from(JSON.stringify(event))),
  status: 200,
  retryAfterMs: null,
});
const failed = (code: string): unknown => ({ type: 'response.failed', response: { error: { code, message: 'm' } } });
const denied = { code: 403, status: 'PERMISSION_DENIED' };

/** What a caller can bring about by its request alone, as providers answer it. */
const MISTAKES: Readonly<Record<string, Failure>> = {
  'a bad field': answered('openai', 400, { message: 'bad', type: 'invalid_request_error', param: 'temperature' }),
  'a bad schema': answered('anthropic', 400, { type: 'invalid_request_error', message: 'tools.0: Field required' }),
  'a bad argument': answered('gemini', 400, { code: 400, status: 'INVALID_ARGUMENT', message: 'Unknown name "x"' }),
  'a body that is too large': answered('anthropic', 413, { type: 'request_too_large', message: 'Request exceeds' }),
  'an unprocessable one': answered('openai', 422, { message: 'bad' }),
  'a conflict': answered('openai', 409, { message: 'Another process is operating on this conversation' }),
  'a dependency of its own': answered('openai', 424, { message: 'Error retrieving tool list from MCP server' }),
  'a prompt that is too long': answered('openai', 400, { code: 'context_length_exceeded', message: 'm' }),
  'too many tokens at once': answered('openai', 429, { message: 'Request too large for gpt-4o on tokens per min' }),
  'more than is left': answered('openai', 402, { message: 'This request requires more credits, or fewer max_tokens.' }),
  'a refused prompt': answered('openai', 400, { code: 'content_filter', message: 'm' }),
  'a flagged prompt': answered('openai', 403, { message: 'Your input was flagged', code: 403 }),
  'an unknown file': answered('anthropic', 404, { type: 'not_found_error', message: 'File not found: file_1' }),
  "somebody's file": answered('gemini', 403, { ...denied, message: 'You do not have permission to access the File x' }),
  "somebody's cache": answered('gemini', 403, { ...denied, message: 'CachedContent not found (or permission denied)' }),
  'an unknown container': answered('openai', 404, { message: "Container with id 'c' not found." }),
  'an unknown prompt': answered('openai', 404, { message: "Prompt with id 'p' not found.", param: 'prompt' }),
  'an unknown vector store': answered('openai', 404, { message: "Vector store with id ['v'] not found." }),
  'an unknown item': answered('openai', 404, { message: "Item with id 'rs_1' not found.", param: 'input' }),
  'an unknown answer': answered('openai', 400, { code: 'previous_response_not_found', message: 'm' }),
  'words of another error': answered('openai', 400, { message: "Invalid value: 'insufficient funds'" }),
  'a schema the model fails at': answered('openai', 400, { code: 'tool_use_failed', message: 'm' }),
  'content the model fails at': answered('openai', 500, { type: 'model_error', message: 'm' }),
  'a prompt refused in the stream': streamed('openai', failed('invalid_prompt')),
  'an image nobody can load': streamed('openai', failed('failed_to_download_image')),
  'a context found too long in the stream': streamed('openai', { type: 'error', code: 'context_length_exceeded' }),
  'a bad request in the stream': streamed('anthropic', { error: { type: 'invalid_request_error', message: 'm' } }),
  'a bad argument in the stream': streamed('gemini', { error: { code: 400, status: 'INVALID_ARGUMENT' } }),
};

/** The classes by their blame: what stands here as a caller's is never a fault. */
const BLAMELESS: readonly FailureClass[] = [
  'request_too_large',
  'invalid_request',
  'context_length',
  'content_refusal',
  'bad_output',
  'own_refusal',
  'caller_left',
];

const MANY = 100;
const chains = { one: { steps: [{ targets: [{ model: 'a/small' }] }], retry: { attempts_per_target: 2 } } };

type Bench = ReturnType<typeof routingBench>;
const stateOf = (bench: Bench) => bench.router.health.stateOf('a/small');

/** Calls that all end in `failure`, alone at their target; with content first or not. */
function fail(bench: Bench, plan: string, failure: Failure, hasContent: boolean): void {
  for (let call = 0; call < MANY; call++) {
    const run = bench.router.route(bench.plan(plan), { ...PLAIN, startedMs: bench.clock.ms });
    if (run.next(bench.clock.ms) === null) return;
    if (hasContent) run.content(bench.clock.ms);
    while (run.failed(bench.clock.ms, failure).action === 'again') run.next(bench.clock.ms);
  }
}

describe("RTE-3: a caller's mistakes", () => {
  it('are the classes without blame, and all others blame the target', () => {
    expect(FAILURE_CLASSES.filter((name) => ERROR_MATRIX[name].blame === 'none')).toEqual(BLAMELESS);
  });

  it.each(Object.entries(MISTAKES))(`${MANY} times %s: the breaker stays closed`, (_what, failure) => {
    for (const plan of ['one', 'a/small']) {
      for (const hasContent of [false, true]) {
        const bench = routingBench(chains);
        fail(bench, plan, failure, hasContent);
        expect([failure.class, stateOf(bench).breaker]).toEqual([failure.class, 'closed']);
        expect(BLAMELESS).toContain(failure.class);
      }
    }
  });

  it.each(FAILURE_CLASSES)(`${MANY} times %s opens the breaker exactly when the target is to blame`, (name) => {
    for (const hasContent of [false, true]) {
      const bench = routingBench(chains);
      fail(bench, 'one', failureOf(name), hasContent);
      const isOpen = stateOf(bench).breaker === 'open';
      // Faults after content stand beside as many answers that had begun well.
      expect([hasContent, isOpen]).toEqual([hasContent, !BLAMELESS.includes(name)]);
    }
  });

  it.each(['before the answer', 'after content', 'between two attempts'])(
    `${MANY} callers that leave %s: the breaker stays closed, and a half-open one is not closed over it`,
    (when) => {
      const bench = routingBench(chains);
      const leave = (): void => {
        const run = bench.router.route(bench.plan('one'), { ...PLAIN, startedMs: bench.clock.ms });
        run.next(bench.clock.ms);
        if (when === 'after content') run.content(bench.clock.ms);
        if (when === 'between two attempts') run.failed(bench.clock.ms, { ...failureOf('bad_output'), status: 200 });
        run.left(bench.clock.ms);
      };
      for (let call = 0; call < MANY; call++) leave();
      expect([stateOf(bench).breaker, stateOf(bench).inFlight]).toEqual(['closed', 0]);
      if (when !== 'before the answer') return;
      stateOf(bench).adoptOpen(bench.clock.ms, 1_000, 'server_error');
      bench.clock.ms += 1_000;
      for (let call = 0; call < MANY; call++) leave();
      expect([stateOf(bench).breaker, stateOf(bench).mayTry(bench.clock.ms)]).toEqual(['half_open', true]);
    },
  );
});
