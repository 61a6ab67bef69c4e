import { type DemoAnswer, decideAnswer } from './answer.js';
import { type DemoAsk, InputMeter, MAX_CHOICES } from './ask.js';
import { behaviourAt, content, CREATED_S, type DemoHandler, type Frame, frame } from './call.js';
import { DemoFault } from './fault.js';
import { booleanAt, type Fields, fieldsOf, integerAt, textsAt } from './fields.js';
import { openaiHeaders } from './openai-errors.js';

/** `POST /v1/completions`: the old text interface. Every prompt gets `n` choices. */
export const completions: DemoHandler = (call) => {
  const { model, behaviour } = behaviourAt(call.body['model']);
  const asks = readAsks(call.body, behaviour);
  const answers = asks.flatMap((ask) => Array.from({ length: ask.choices }, () => decideAnswer(ask)));
  const head = { id: `cmpl-${call.digest.slice(0, 24)}`, object: 'text_completion', created: CREATED_S, model };
  const promptTokens = asks.reduce((sum, ask) => sum + ask.inputTokens, 0);
  const completionTokens = answers.reduce((sum, answer) => sum + answer.outputTokens, 0);
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
  const headers = openaiHeaders(call.digest);
  if (booleanAt(call.body, 'stream')) {
    const wanted = fieldsOf(call.body['stream_options'])['include_usage'] === true ? usage : null;
    return {
      kind: 'stream',
      behaviour,
      contentType: 'text/event-stream; charset=utf-8',
      headers,
      frames: streamFrames(head, answers, wanted),
    };
  }
  const choices = answers.map((answer, index) => ({
    text: answer.text,
    index,
    logprobs: null,
    finish_reason: finishReason(answer),
  }));
  return { kind: 'json', behaviour, headers, body: { ...head, choices, usage } };
};

function readAsks(body: Fields, behaviour: DemoAsk['behaviour']): DemoAsk[] {
  const given = body['prompt'] ?? '';
  const choices = integerAt(body, 'n', 1, MAX_CHOICES) ?? 1;
  const prompts = typeof given === 'string' || isTokens(given) ? [given] : given;
  if (!Array.isArray(prompts) || prompts.length === 0 || prompts.length * choices > MAX_CHOICES) {
    throw new DemoFault(
      400,
      `Invalid 'prompt': expected a text, tokens or a list of them, at most ${MAX_CHOICES} answers in all.`,
      { param: 'prompt' },
    );
  }
  return prompts.map((prompt: unknown): DemoAsk => {
    if (typeof prompt !== 'string' && !isTokens(prompt))
      throw new DemoFault(400, "Invalid type for 'prompt'.", { param: 'prompt', code: 'invalid_type' });
    const text = typeof prompt === 'string' ? prompt : `[${prompt.length} tokens]`;
    const meter = new InputMeter();
    meter.addText(text);
    return {
      behaviour,
      userText: text,
      toolResults: [],
      tools: [],
      toolChoice: 'none',
      parallelTools: false,
      format: 'text',
      maxTokens: integerAt(body, 'max_tokens', 1, 10_000_000) ?? 16,
      stops: textsAt(body, 'stop'),
      choices,
      inputTokens: typeof prompt === 'string' ? meter.tokens : prompt.length,
    };
  });
}

/** A prompt given as token ids. */
export function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isSafeInteger(token));
}

function finishReason(answer: DemoAnswer): string {
  return answer.finish === 'length' ? 'length' : 'stop';
}

function* streamFrames(head: object, answers: readonly DemoAnswer[], usage: object | null): Generator<Frame> {
  const tail = usage === null ? {} : { usage: null };
  const chunk = (index: number, text: string, finish: string | null): string =>
    `data: ${JSON.stringify({ ...head, choices: [{ text, index, logprobs: null, finish_reason: finish }], ...tail })}\n\n`;
  for (const [index, answer] of answers.entries()) {
    for (const piece of answer.pieces) yield content(chunk(index, piece, null));
    yield frame(chunk(index, '', finishReason(answer)));
  }
  if (usage !== null) yield frame(`data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`);
  yield frame('data: [DONE]\n\n');
}
