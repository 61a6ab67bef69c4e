import { type DemoAnswer, decideAnswer } from './answer.js';
import { type DemoAsk, type DemoTool } from './ask.js';
import { behaviourAt, content, type DemoHandler, type FaultShape, type Frame, frame } from './call.js';
import { CacheMeter } from './anthropic-cache.js';
import { DemoFault } from './fault.js';
import {
  booleanAt,
  type Fields,
  fieldsIn,
  fieldsOf,
  fullListAt,
  integerAt,
  listAt,
  textAt,
  textsAt,
} from './fields.js';
import { halves } from './openai-chat.js';

const ROLES = ['user', 'assistant', 'system'];

/** `POST /v1/messages` */
export const messages: DemoHandler = (call) => {
  const { model, behaviour } = behaviourAt(call.body['model']);
  const maxTokens = integerAt(call.body, 'max_tokens', 1, 10_000_000);
  if (maxTokens === null) throw new DemoFault(400, 'max_tokens: Field required');
  const meter = new CacheMeter();
  const ask = { ...readAsk(call.body, behaviour, meter), maxTokens };
  const answer = decideAnswer(ask);
  const inputUsage = { ...meter.usage(), service_tier: 'standard' };
  const head = { id: `msg_demo${call.digest.slice(0, 20)}`, type: 'message', role: 'assistant', model };
  const headers = { 'request-id': `req_demo${call.digest.slice(0, 20)}` };
  const ending = { stop_reason: stopReason(answer), stop_sequence: answer.stopSequence };
  if (booleanAt(call.body, 'stream')) {
    const frames = streamFrames({ head, answer, inputUsage, ending, digest: call.digest });
    return { kind: 'stream', behaviour, contentType: 'text/event-stream; charset=utf-8', headers, frames };
  }
  const usage = { ...inputUsage, output_tokens: answer.outputTokens };
  return {
    kind: 'json',
    behaviour,
    headers,
    body: { ...head, content: blocksOf(answer, call.digest), ...ending, usage },
  };
};

/** `POST /v1/messages/count_tokens` */
export const countTokens: DemoHandler = (call) => {
  const { behaviour } = behaviourAt(call.body['model']);
  const { inputTokens } = readAsk(call.body, behaviour, new CacheMeter());
  return {
    kind: 'json',
    behaviour,
    headers: { 'request-id': `req_demo${call.digest.slice(0, 20)}` },
    body: { input_tokens: inputTokens },
  };
};

function readAsk(body: Fields, behaviour: DemoAsk['behaviour'], meter: CacheMeter): DemoAsk {
  const tools = readTools(body, meter);
  const { system } = body as { system?: unknown };
  if (system != null) readContent(system, 'system', meter);
  const turns = fullListAt(body, 'messages').map((value, i) => {
    const path = `messages.${i}`;
    const message = fieldsIn(value, path);
    const role = textAt(message, 'role', `${path}.role`);
    if (!ROLES.includes(role)) throw new DemoFault(400, `${path}.role: Input should be 'user' or 'assistant'`);
    return { role, ...readContent(message['content'], `${path}.content`, meter) };
  });
  const choice = fieldsOf(body['tool_choice']);
  const users = turns.filter(({ role }) => role === 'user');
  const format = fieldsOf(fieldsOf(body['output_config'])['format'] ?? body['output_format']);
  return {
    behaviour,
    userText: users.findLast(({ text }) => text !== '')?.text ?? '',
    toolResults: turns.findLast(({ role }) => role !== 'system')?.toolResults ?? [],
    tools,
    toolChoice:
      choice['type'] === 'none' ? 'none' : typeof choice['name'] === 'string' ? { name: choice['name'] } : 'auto',
    parallelTools: choice['disable_parallel_tool_use'] === false,
    format: format['type'] === 'json_schema' ? { schema: format['schema'] } : 'text',
    maxTokens: null,
    stops: textsAt(body, 'stop_sequences'),
    choices: 1,
    inputTokens: meter.tokens,
  };
}

function readTools(body: Fields, meter: CacheMeter): DemoTool[] {
  return listAt(body, 'tools').flatMap((value, i) => {
    const tool = fieldsIn(value, `tools.${i}`);
    meter.addJson(tool);
    meter.mark(tool['cache_control']);
    // Tools of other types (web_search_20250305 …) are run by the service itself.
    const isCallers = tool['type'] === undefined || tool['type'] === null || tool['type'] === 'custom';
    return isCallers ? [{ name: textAt(tool, 'name', `tools.${i}.name`), schema: tool['input_schema'] }] : [];
  });
}

/** Text and tool results of a content: a string or blocks. Everything is metered, cache marks are noted. */
function readContent(given: unknown, path: string, meter: CacheMeter): { text: string; toolResults: string[] } {
  if (typeof given === 'string') {
    meter.addText(given);
    return { text: given, toolResults: [] };
  }
  if (!Array.isArray(given)) throw new DemoFault(400, `${path}: Input should be a valid string or list`);
  const texts: string[] = [];
  const toolResults: string[] = [];
  for (const [i, value] of given.entries()) {
    const block = fieldsIn(value, `${path}.${i}`);
    const type = textAt(block, 'type', `${path}.${i}.type`);
    if (type === 'text') {
      const text = textAt(block, 'text', `${path}.${i}.text`);
      meter.addText(text);
      texts.push(text);
    } else if (type === 'image') meter.addImage();
    else if (type === 'tool_result')
      toolResults.push(
        block['content'] == null ? '' : readContent(block['content'], `${path}.${i}.content`, meter).text,
      );
    else meter.addJson(block);
    meter.mark(block['cache_control']);
  }
  return { text: texts.join('\n'), toolResults };
}

function stopReason(answer: DemoAnswer): string {
  return { end: 'end_turn', length: 'max_tokens', stop: 'stop_sequence', tool: 'tool_use' }[answer.finish];
}

function toolId(digest: string, i: number): string {
  return `toolu_demo${digest.slice(0, 18)}${i}`;
}

function blocksOf(answer: DemoAnswer, digest: string): object[] {
  if (answer.toolCalls.length > 0) {
    return answer.toolCalls.map(({ name, argumentsJson }, i) => ({
      type: 'tool_use',
      id: toolId(digest, i),
      name,
      input: JSON.parse(argumentsJson) as unknown,
    }));
  }
  return answer.text === '' ? [] : [{ type: 'text', text: answer.text }];
}

interface StreamPlan {
  readonly head: object;
  readonly answer: DemoAnswer;
  readonly inputUsage: object;
  readonly ending: object;
  readonly digest: string;
}

function* streamFrames({ head, answer, inputUsage, ending, digest }: StreamPlan): Generator<Frame> {
  const event = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  const nothing = { content: [], stop_reason: null, stop_sequence: null };
  yield frame(event('message_start', { message: { ...head, ...nothing, usage: { ...inputUsage, output_tokens: 1 } } }));
  yield frame(event('ping', {}));
  let index = 0;
  if (answer.text !== '') {
    yield frame(event('content_block_start', { index, content_block: { type: 'text', text: '' } }));
    for (const text of answer.pieces)
      yield content(event('content_block_delta', { index, delta: { type: 'text_delta', text } }));
    yield frame(event('content_block_stop', { index: index++ }));
  }
  for (const [i, { name, argumentsJson }] of answer.toolCalls.entries()) {
    yield frame(
      event('content_block_start', {
        index,
        content_block: { type: 'tool_use', id: toolId(digest, i), name, input: {} },
      }),
    );
    for (const partial_json of ['', ...halves(argumentsJson)]) {
      yield content(event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json } }));
    }
    yield frame(event('content_block_stop', { index: index++ }));
  }
  const { service_tier: _tier, ...cumulative } = inputUsage as { service_tier?: unknown };
  yield frame(event('message_delta', { delta: ending, usage: { ...cumulative, output_tokens: answer.outputTokens } }));
  yield frame(event('message_stop', {}));
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** `{"type":"error","error":{type,message},"request_id"}` */
export const anthropicFault: FaultShape = ({ status, message, code, param }, digest) => {
  const requestId = `req_demo${digest.slice(0, 20)}`;
  const type = ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  const text = code === 'missing_required_parameter' ? `${param}: Field required` : message;
  return {
    body: { type: 'error', error: { type, message: text }, request_id: requestId },
    headers: { 'request-id': requestId },
  };
};
