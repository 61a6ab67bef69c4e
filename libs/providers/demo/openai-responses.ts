import { type DemoAnswer, decideAnswer } from './answer.js';
import { type DemoAsk, type DemoTool, InputMeter } from './ask.js';
import { behaviourAt, content, CREATED_S, type DemoHandler, type Frame, frame } from './call.js';
import { DemoFault } from './fault.js';
import { booleanAt, type Fields, fieldsIn, fieldsOf, integerAt, listAt, textAt } from './fields.js';
import { halves, readContent, readToolChoice } from './openai-chat.js';
import { openaiHeaders } from './openai-errors.js';

/** `POST /v1/responses` */
export const responses: DemoHandler = (call) => {
  const { model, behaviour } = behaviourAt(call.body['model']);
  const ask = readAsk(call.body, behaviour);
  const answer = decideAnswer(ask);
  const head = headOf(call.body, model, call.digest);
  const output = outputOf(answer, call.digest);
  const isCut = answer.finish === 'length';
  const done = {
    ...head,
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output,
    usage: {
      input_tokens: ask.inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: answer.outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: ask.inputTokens + answer.outputTokens,
    },
  };
  const headers = openaiHeaders(call.digest);
  if (!booleanAt(call.body, 'stream')) return { kind: 'json', behaviour, headers, body: done };
  return {
    kind: 'stream',
    behaviour,
    contentType: 'text/event-stream; charset=utf-8',
    headers,
    frames: streamFrames(head, done, output, answer),
  };
};

function readAsk(body: Fields, behaviour: DemoAsk['behaviour']): DemoAsk {
  const meter = new InputMeter();
  if (typeof body['instructions'] === 'string') meter.addText(body['instructions']);
  const { userText, toolResults } = readInput(body, meter);
  const tools = listAt(body, 'tools');
  for (const tool of tools) meter.addJson(tool);
  const format = fieldsOf(fieldsOf(body['text'])['format']);
  return {
    behaviour,
    userText,
    toolResults,
    tools: tools.flatMap((tool, i) => readTool(tool, `tools[${i}]`)),
    toolChoice: readToolChoice(body['tool_choice']),
    parallelTools: body['parallel_tool_calls'] === true,
    format:
      format['type'] === 'json_schema'
        ? { schema: format['schema'] }
        : format['type'] === 'json_object'
          ? 'json'
          : 'text',
    maxTokens: integerAt(body, 'max_output_tokens', 1, 10_000_000),
    stops: [],
    choices: 1,
    inputTokens: meter.tokens,
  };
}

/** Function tools; a `namespace` holds some more, every other type is run by the service itself. */
function readTool(value: unknown, path: string): DemoTool[] {
  const tool = fieldsIn(value, path);
  if (tool['type'] === 'namespace')
    return listAt(tool, 'tools').flatMap((inner, i) => readPlainTool(inner, `${path}.tools[${i}]`));
  return readPlainTool(tool, path);
}

function readPlainTool(value: unknown, path: string): DemoTool[] {
  const tool = fieldsIn(value, path);
  return tool['type'] === 'function'
    ? [{ name: textAt(tool, 'name', `${path}.name`), schema: tool['parameters'] }]
    : [];
}

/** A text, or items: messages, tool calls and their results, and what else the service knows. */
function readInput(body: Fields, meter: InputMeter): { userText: string; toolResults: string[] } {
  const given = body['input'];
  if (typeof given === 'string') {
    meter.addText(given);
    return { userText: given, toolResults: [] };
  }
  if (given == null)
    throw new DemoFault(400, "Missing required parameter: 'input'.", {
      param: 'input',
      code: 'missing_required_parameter',
    });
  let userText = '';
  let toolResults: string[] = [];
  for (const [i, value] of listAt(body, 'input').entries()) {
    const path = `input[${i}]`;
    const item = fieldsIn(value, path);
    if (item['type'] === 'function_call_output') {
      toolResults.push(readContent(item['output'], `${path}.output`, meter));
    } else if (typeof item['role'] === 'string') {
      const text = readContent(item['content'], `${path}.content`, meter);
      if (item['role'] === 'user') userText = text;
      toolResults = [];
    } else meter.addJson(item);
  }
  return { userText, toolResults };
}

function headOf(body: Fields, model: string, digest: string): object {
  const orNull = (name: string): unknown => body[name] ?? null;
  return {
    id: `resp_${digest.slice(0, 32)}`,
    object: 'response',
    created_at: CREATED_S,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: orNull('instructions'),
    max_output_tokens: orNull('max_output_tokens'),
    model,
    output: [],
    parallel_tool_calls: body['parallel_tool_calls'] ?? true,
    previous_response_id: orNull('previous_response_id'),
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: body['store'] ?? true,
    temperature: body['temperature'] ?? 1,
    text: body['text'] ?? { format: { type: 'text' } },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? 1,
    truncation: 'disabled',
    usage: null,
    metadata: body['metadata'] ?? {},
  };
}

type Item =
  | {
      readonly type: 'message';
      readonly id: string;
      readonly status: string;
      readonly role: 'assistant';
      readonly content: readonly object[];
    }
  | {
      readonly type: 'function_call';
      readonly id: string;
      readonly status: string;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

function part(text: string): object {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

function outputOf(answer: DemoAnswer, digest: string): Item[] {
  const status = answer.finish === 'length' ? 'incomplete' : 'completed';
  if (answer.toolCalls.length === 0) {
    return [
      { type: 'message', id: `msg_${digest.slice(0, 32)}`, status, role: 'assistant', content: [part(answer.text)] },
    ];
  }
  return answer.toolCalls.map(({ name, argumentsJson }, i) => ({
    type: 'function_call',
    id: `fc_${digest.slice(0, 30)}${i}`,
    status,
    call_id: `call_${digest.slice(0, 20)}${i}`,
    name,
    arguments: argumentsJson,
  }));
}

function* streamFrames(
  head: object,
  done: { readonly status: string },
  output: readonly Item[],
  answer: DemoAnswer,
): Generator<Frame> {
  let sequence = 0;
  const event = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  yield frame(event('response.created', { response: head }));
  yield frame(event('response.in_progress', { response: head }));
  for (const [index, item] of output.entries()) {
    const at = { output_index: index, item_id: item.id };
    if (item.type === 'message') {
      const place = { ...at, content_index: 0 };
      yield frame(
        event('response.output_item.added', {
          output_index: index,
          item: { ...item, status: 'in_progress', content: [] },
        }),
      );
      yield frame(event('response.content_part.added', { ...place, part: part('') }));
      for (const delta of answer.pieces)
        yield content(event('response.output_text.delta', { ...place, delta, logprobs: [] }));
      yield frame(event('response.output_text.done', { ...place, text: answer.text, logprobs: [] }));
      yield frame(event('response.content_part.done', { ...place, part: part(answer.text) }));
    } else {
      yield frame(
        event('response.output_item.added', {
          output_index: index,
          item: { ...item, status: 'in_progress', arguments: '' },
        }),
      );
      for (const delta of halves(item.arguments))
        yield content(event('response.function_call_arguments.delta', { ...at, delta }));
      yield frame(event('response.function_call_arguments.done', { ...at, arguments: item.arguments }));
    }
    yield frame(event('response.output_item.done', { output_index: index, item }));
  }
  yield frame(event(`response.${done.status}`, { response: done }));
}
