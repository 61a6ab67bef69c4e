import { type DemoAnswer, decideAnswer, type Finish } from './answer.js';
import { type DemoAsk, type DemoTool, InputMeter, MAX_CHOICES } from './ask.js';
import { behaviourAt, content, CREATED_S, type DemoHandler, type Frame, frame } from './call.js';
import { DemoFault } from './fault.js';
import {
  booleanAt,
  type Fields,
  fieldsIn,
  fieldsOf,
  fullListAt,
  integerAt,
  isFields,
  listAt,
  textAt,
  textsAt,
} from './fields.js';
import { openaiHeaders } from './openai-errors.js';

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];
const MAX_TOKENS = 10_000_000;

/** `POST /v1/chat/completions` */
export const chatCompletions: DemoHandler = (call) => {
  const { model, behaviour } = behaviourAt(call.body['model']);
  const isStream = booleanAt(call.body, 'stream');
  const options = call.body['stream_options'] ?? null;
  if (options !== null && !isStream) {
    throw new DemoFault(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", {
      param: 'stream_options',
    });
  }
  const ask = readAsk(call.body, behaviour);
  const answer = decideAnswer(ask);
  const head = {
    id: `chatcmpl-${call.digest.slice(0, 24)}`,
    object: isStream ? 'chat.completion.chunk' : 'chat.completion',
    created: CREATED_S,
    model,
    service_tier: 'default',
    system_fingerprint: 'fp_demo',
  };
  const usage = usageOf(ask, answer);
  const headers = openaiHeaders(call.digest);
  if (isStream) {
    const frames = streamFrames({
      head,
      ask,
      answer,
      digest: call.digest,
      usage: fieldsOf(options)['include_usage'] === true ? usage : null,
    });
    return { kind: 'stream', behaviour, contentType: 'text/event-stream; charset=utf-8', headers, frames };
  }
  const choices = Array.from({ length: ask.choices }, (_, index) => ({
    index,
    message: {
      role: 'assistant',
      content: answer.toolCalls.length > 0 ? null : answer.text,
      refusal: null,
      annotations: [],
      ...(answer.toolCalls.length > 0 && { tool_calls: toolCalls(answer, call.digest, index) }),
    },
    logprobs: null,
    finish_reason: finishReason(answer.finish),
  }));
  return { kind: 'json', behaviour, headers, body: { ...head, choices, usage } };
};

function readAsk(body: Fields, behaviour: DemoAsk['behaviour']): DemoAsk {
  const meter = new InputMeter();
  const messages = fullListAt(body, 'messages').map((message, i) =>
    readMessage(fieldsIn(message, `messages[${i}]`), `messages[${i}]`, meter),
  );
  const tools = readTools(body, meter);
  const lastTurn = messages.slice(messages.findLastIndex(({ role }) => role !== 'tool' && role !== 'function') + 1);
  return {
    behaviour,
    userText: messages.findLast(({ role }) => role === 'user')?.text ?? '',
    toolResults: lastTurn.map(({ text }) => text),
    tools,
    toolChoice: readToolChoice(body['tool_choice']),
    parallelTools: body['parallel_tool_calls'] === true,
    format: readFormat(body['response_format']),
    maxTokens: integerAt(body, 'max_completion_tokens', 1, MAX_TOKENS) ?? integerAt(body, 'max_tokens', 1, MAX_TOKENS),
    stops: textsAt(body, 'stop'),
    choices: integerAt(body, 'n', 1, MAX_CHOICES) ?? 1,
    inputTokens: meter.tokens,
  };
}

function readMessage(
  message: Fields,
  path: string,
  meter: InputMeter,
): { readonly role: string; readonly text: string } {
  const role = textAt(message, 'role', `${path}.role`);
  if (!ROLES.includes(role)) {
    throw new DemoFault(
      400,
      `Invalid value: '${role.slice(0, 64)}'. Supported values are: ${ROLES.map((one) => `'${one}'`).join(', ')}.`,
      {
        param: `${path}.role`,
        code: 'invalid_value',
      },
    );
  }
  if (message['tool_calls'] != null) meter.addJson(message['tool_calls']);
  const given = message['content'] ?? null;
  if (given === null && role !== 'assistant') {
    throw new DemoFault(400, `Missing required parameter: '${path}.content'.`, {
      param: `${path}.content`,
      code: 'missing_required_parameter',
    });
  }
  return { role, text: given === null ? '' : readContent(given, `${path}.content`, meter) };
}

/** Text of a content: a string or a list of parts. Everything is metered. */
export function readContent(given: unknown, path: string, meter: InputMeter): string {
  if (typeof given === 'string') {
    meter.addText(given);
    return given;
  }
  if (!Array.isArray(given))
    throw new DemoFault(400, `Invalid type for '${path}': expected a string or an array of objects.`, {
      param: path,
      code: 'invalid_type',
    });
  const texts: string[] = [];
  for (const [i, value] of given.entries()) {
    const part = fieldsIn(value, `${path}[${i}]`);
    const type = textAt(part, 'type', `${path}[${i}].type`);
    if (type === 'image_url' || type === 'input_image') meter.addImage();
    else if (type === 'text' || type === 'input_text' || type === 'output_text') {
      const text = textAt(part, 'text', `${path}[${i}].text`);
      meter.addText(text);
      texts.push(text);
    } else meter.addJson(part);
  }
  return texts.join('\n');
}

function readTools(body: Fields, meter: InputMeter): DemoTool[] {
  const list = listAt(body, 'tools');
  for (const tool of list) meter.addJson(tool);
  return list.flatMap((value, i) => {
    const tool = fieldsIn(value, `tools[${i}]`);
    if (tool['type'] !== 'function') return [];
    const path = `tools[${i}].function`;
    const declared = fieldsIn(tool['function'], path);
    return [{ name: textAt(declared, 'name', `${path}.name`), schema: declared['parameters'] }];
  });
}

/** @param choice also the flat shape of the Responses API */
export function readToolChoice(choice: unknown): DemoAsk['toolChoice'] {
  if (choice === 'none') return 'none';
  const name = isFields(choice) ? (fieldsOf(choice['function'])['name'] ?? choice['name']) : null;
  return typeof name === 'string' ? { name } : 'auto';
}

function readFormat(given: unknown): DemoAsk['format'] {
  const format = fieldsOf(given);
  if (format['type'] === 'json_object') return 'json';
  if (format['type'] !== 'json_schema') return 'text';
  const declared = fieldsIn(format['json_schema'], 'response_format.json_schema');
  return { schema: declared['schema'] };
}

function usageOf(ask: DemoAsk, answer: DemoAnswer): object {
  const completionTokens = answer.outputTokens * ask.choices;
  return {
    prompt_tokens: ask.inputTokens,
    completion_tokens: completionTokens,
    total_tokens: ask.inputTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function finishReason(finish: Finish): string {
  if (finish === 'tool') return 'tool_calls';
  return finish === 'length' ? 'length' : 'stop';
}

interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

function toolCalls(answer: DemoAnswer, digest: string, choice: number): ToolCall[] {
  return answer.toolCalls.map(({ name, argumentsJson }, i) => ({
    id: `call_${digest.slice(0, 20)}${choice}${i}`,
    type: 'function',
    function: { name, arguments: argumentsJson },
  }));
}

interface StreamPlan {
  readonly head: object;
  readonly ask: DemoAsk;
  readonly answer: DemoAnswer;
  readonly digest: string;
  /** `null`: not asked for. */
  readonly usage: object | null;
}

/** With `include_usage` every chunk carries `usage: null` and a last one, without choices, the figures. */
function* streamFrames({ head, ask, answer, digest, usage }: StreamPlan): Generator<Frame> {
  const tail = usage === null ? {} : { usage: null };
  const chunk = (index: number, delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...head, choices: [{ index, delta, logprobs: null, finish_reason: finish }], ...tail })}\n\n`;
  for (let index = 0; index < ask.choices; index++) {
    yield frame(chunk(index, { role: 'assistant', content: answer.toolCalls.length > 0 ? null : '', refusal: null }));
    for (const piece of answer.pieces) yield content(chunk(index, { content: piece }));
    for (const [i, call] of toolCalls(answer, digest, index).entries()) {
      yield content(
        chunk(index, { tool_calls: [{ index: i, ...call, function: { name: call.function.name, arguments: '' } }] }),
      );
      for (const part of halves(call.function.arguments))
        yield content(chunk(index, { tool_calls: [{ index: i, function: { arguments: part } }] }));
    }
    yield frame(chunk(index, {}, finishReason(answer.finish)));
  }
  if (usage !== null) yield frame(`data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`);
  yield frame('data: [DONE]\n\n');
}

/** Arguments arrive in parts: two are enough to prove that they are joined. */
export function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== '');
}
