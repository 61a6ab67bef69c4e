import { Fields, isObject, refuse, type Dropped } from '../fields.js';
import { media, sourceOfUrl, text } from '../media.js';
import { EFFORTS, readOpenAiOnly, readTemperature } from './shared-fields.js';
import { readSignature } from '../signatures.js';
import type {
  AnswerFormat,
  AssistantPart,
  CallPart,
  ChatRequest,
  Json,
  MediaPart,
  Reasoning,
  ResultPart,
  Setting,
  TextPart,
  Tool,
  ToolChoice,
  Turn,
} from '../request-model.js';

/** A chat completions request (OpenAI API reference, "Create chat completion"). @throws AppError `invalid_request` */
export function readChatRequest(body: Json, dropped: Dropped): ChatRequest {
  const fields = new Fields(body, '', dropped);
  const n = fields.number('n');
  if (n !== null && n !== 1) throw refuse('n', '"n" must be 1: this model answers once per request.');
  if (fields.strings('modalities')?.includes('audio')) throw refuse('modalities', 'This model cannot answer in audio.');
  const streamOptions = fields.object('stream_options');
  const request: ChatRequest = {
    source: 'openai',
    model: fields.string('model'),
    isStream: fields.bool('stream') ?? false,
    wantsStreamUsage: streamOptions?.bool('include_usage') ?? false,
    turns: readMessages(fields),
    tools: [...readTools(fields), ...readFunctions(fields)],
    toolChoice: readToolChoice(fields) ?? readFunctionChoice(fields),
    parallelCalls: boolSetting(fields, 'parallel_tool_calls'),
    format: readFormat(fields),
    reasoning: readEffort(fields),
    maxTokens: fields.countSetting('max_completion_tokens') ?? fields.countSetting('max_tokens'),
    temperature: readTemperature(fields),
    topP: fields.numberSetting('top_p'),
    topK: fields.numberSetting('top_k'), // not OpenAI's; vLLM and others take it
    frequencyPenalty: fields.numberSetting('frequency_penalty'),
    presencePenalty: fields.numberSetting('presence_penalty'),
    seed: fields.exactSetting('seed'),
    stop: readStop(fields),
    user: stringSetting(fields, 'user'),
    openAiOnly: readOpenAiOnly(fields),
  };
  // Padding of chunks against eavesdroppers; translated streams have none.
  streamOptions?.raw('include_obfuscation');
  streamOptions?.rest();
  fields.raw('max_tokens'); // the older name, when both are sent
  fields.drop('logprobs', false);
  fields.rest();
  return request;
}

export function boolSetting(fields: Fields, name: string): Setting<boolean> | null {
  const value = fields.bool(name);
  return value === null ? null : { value, at: name };
}

export function stringSetting(fields: Fields, name: string): Setting<string> | null {
  const value = fields.string(name);
  return value === null ? null : { value, at: name };
}

function readStop(fields: Fields): Setting<readonly string[]> | null {
  const value = fields.raw('stop');
  if (value === undefined) return null;
  const stop = typeof value === 'string' ? [value] : (fields.strings('stop') ?? []);
  return stop.length === 0 ? null : { value: stop, at: 'stop' };
}

function readEffort(fields: Fields): Reasoning | null {
  const effort = fields.oneOf('reasoning_effort', EFFORTS);
  return effort === null ? null : { effort, budgetTokens: null, isShown: null, at: 'reasoning_effort' };
}

function readMessages(fields: Fields): Turn[] {
  const messages = fields.objects('messages');
  if (messages.length === 0) throw refuse('messages', '"messages" must be a non-empty array.');
  const turns: Turn[] = [];
  let results: ResultPart[] | null = null;
  for (const message of messages) {
    const role = message.requiredString('role');
    if (role === 'tool') {
      // Results of parallel calls are messages of their own here and one turn elsewhere.
      if (results === null) turns.push({ role: 'user', parts: (results = []) });
      results.push(readResult(message));
    } else {
      results = null;
      turns.push(readMessage(message, role));
    }
    message.drop('name');
    message.rest();
  }
  return turns;
}

function readMessage(message: Fields, role: string): Turn {
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', isDeveloper: role === 'developer', parts: readTexts(message) };
    case 'user':
      return { role: 'user', parts: readUserParts(message) };
    case 'assistant':
      return { role: 'assistant', parts: readAssistantParts(message) };
    default:
      throw refuse(
        message.place('role'),
        `"${message.place('role')}" must be system, developer, user, assistant or tool.`,
      );
  }
}

const cacheOf = (fields: Fields): Json | null => fields.jsonObject('cache_control');

function readTexts(message: Fields): TextPart[] {
  const content = message.raw('content');
  if (typeof content === 'string') return [text(content, cacheOf(message))];
  return message.objects('content').map((part) => {
    requireType(part, ['text']);
    return readText(part);
  });
}

function readText(part: Fields): TextPart {
  const read = text(part.requiredString('text'), cacheOf(part));
  part.drop('prompt_cache_breakpoint');
  part.rest();
  return read;
}

function requireType(part: Fields, types: readonly string[]): string {
  const type = part.requiredString('type');
  if (!types.includes(type))
    throw refuse(part.place('type'), `Content of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  return type;
}

function readUserParts(message: Fields): (TextPart | MediaPart)[] {
  const content = message.raw('content');
  if (typeof content === 'string') return [text(content, cacheOf(message))];
  if (content === undefined) throw refuse(message.place('content'), `"${message.place('content')}" is missing.`);
  return message.objects('content').map((part) => readUserPart(part));
}

function readUserPart(part: Fields): TextPart | MediaPart {
  const type = requireType(part, ['text', 'image_url', 'input_audio', 'file']);
  if (type === 'text') return readText(part);
  const inner = Fields.of(part.raw(type), part.place(type), part.dropped);
  const cache = cacheOf(part);
  part.drop('prompt_cache_breakpoint');
  part.rest();
  const read = readMedia(type, inner, cache);
  inner.rest();
  return read;
}

function readMedia(type: string, inner: Fields, cache: Json | null): MediaPart {
  if (type === 'image_url') {
    const at = inner.place('url');
    return media('image', sourceOfUrl(inner.requiredString('url'), at), at, { detail: inner.string('detail'), cache });
  }
  if (type === 'input_audio') {
    const format = inner.oneOf('format', ['wav', 'mp3'] as const) ?? 'wav';
    const data = inner.requiredString('data');
    return media('audio', { kind: 'data', mediaType: `audio/${format}`, data }, inner.at, { cache });
  }
  return readFile(inner, cache);
}

function readFile(file: Fields, cache: Json | null): MediaPart {
  const name = file.string('filename');
  const data = file.string('file_data');
  if (data !== null) return media('file', sourceOfUrl(data, file.place('file_data')), file.at, { name, cache });
  return media('file', { kind: 'id', id: file.requiredString('file_id') }, file.place('file_id'), { name, cache });
}

function readResult(message: Fields): ResultPart {
  const callId = message.requiredString('tool_call_id');
  const cache = cacheOf(message);
  return { kind: 'result', callId, name: null, parts: readTexts(message), isError: false, cache, at: message.at };
}

function readAssistantParts(message: Fields): AssistantPart[] {
  const parts: AssistantPart[] = [...readThinking(message)];
  const content = message.raw('content');
  if (typeof content === 'string') {
    if (content !== '') parts.push(text(content, cacheOf(message)));
  } else {
    for (const part of message.objects('content')) {
      const type = requireType(part, ['text', 'refusal']);
      parts.push(type === 'text' ? readText(part) : { kind: 'refusal', text: part.requiredString('refusal') });
    }
  }
  const refusal = message.string('refusal');
  if (refusal !== null) parts.push({ kind: 'refusal', text: refusal });
  if (message.has('function_call'))
    throw refuse(
      message.place('function_call'),
      'Write calls as "tool_calls": "function_call" has no id to answer to.',
    );
  for (const call of message.objects('tool_calls')) parts.push(readCall(call));
  message.drop('annotations');
  return parts;
}

/** Signed reasoning of an earlier answer, as `write-answer.ts` gave it out (the names LiteLLM made customary). */
function readThinking(message: Fields): AssistantPart[] {
  const blocks = message.objects('thinking_blocks');
  const plain = message.string('reasoning_content');
  if (blocks.length > 0) {
    return blocks.map((block) => {
      if (requireType(block, ['thinking', 'redacted_thinking']) === 'redacted_thinking') {
        const signature = { by: 'anthropic_redacted', value: block.requiredString('data') } as const;
        return { kind: 'thinking', text: '', signature, at: block.at };
      }
      const signature = block.string('signature');
      return {
        kind: 'thinking',
        text: block.string('thinking') ?? '',
        signature: signature === null ? null : readSignature(signature, 'anthropic'),
        at: block.at,
      };
    });
  }
  return plain === null || plain === ''
    ? []
    : [{ kind: 'thinking', text: plain, signature: null, at: message.place('reasoning_content') }];
}

function readCall(call: Fields): CallPart {
  const type = call.string('type') ?? 'function';
  const id = call.requiredString('id');
  const isCustom = type === 'custom';
  if (type !== 'function' && !isCustom)
    throw refuse(call.place('type'), `Calls of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  const inner = call.object(type);
  if (inner === null) throw refuse(call.place(type), `"${call.place(type)}" is missing.`);
  const google = call.object('extra_content')?.object('google')?.string('thought_signature') ?? null;
  call.raw('index');
  const part: CallPart = {
    kind: 'call',
    id,
    name: inner.requiredString('name'),
    args: inner.string(isCustom ? 'input' : 'arguments') ?? '',
    isCustom,
    signature: google === null ? null : readSignature(google, 'gemini'),
    at: call.at,
  };
  call.rest();
  return part;
}

function readTools(fields: Fields): Tool[] {
  const tools: Tool[] = [];
  for (const tool of fields.objects('tools')) {
    const type = tool.requiredString('type');
    if (type !== 'function' && type !== 'custom') {
      tool.dropped.add(`tools[].${type}`);
      continue;
    }
    const inner = Fields.of(tool.raw(type), tool.place(type), tool.dropped);
    tools.push(type === 'function' ? readFunction(inner, tool) : readCustom(inner));
    tool.rest();
  }
  return tools;
}

function readFunction(fields: Fields, tool: Fields): Tool {
  const read: Tool = {
    name: fields.requiredString('name'),
    description: fields.string('description'),
    schema: fields.jsonObject('parameters'),
    isStrict: fields.bool('strict'),
    custom: null,
    cache: cacheOf(tool),
    at: fields.at,
  };
  fields.rest();
  return read;
}

function readCustom(fields: Fields): Tool {
  const read: Tool = {
    name: fields.requiredString('name'),
    description: fields.string('description'),
    schema: null,
    isStrict: null,
    custom: { format: fields.raw('format') },
    cache: null,
    at: fields.at,
  };
  fields.rest();
  return read;
}

/** The older `functions`, still sent by old frameworks: the same thing without the wrapper. */
function readFunctions(fields: Fields): Tool[] {
  return fields.objects('functions').map((fn) => readFunction(fn, fn));
}

function readFunctionChoice(fields: Fields): Setting<ToolChoice> | null {
  const value = fields.raw('function_call');
  if (value === undefined) return null;
  if (value === 'auto' || value === 'none') return { value: { mode: value, allowed: null }, at: 'function_call' };
  const name = Fields.of(value, 'function_call', fields.dropped).requiredString('name');
  return { value: { mode: 'required', allowed: [name] }, at: 'function_call' };
}

function readToolChoice(fields: Fields): Setting<ToolChoice> | null {
  const value = fields.raw('tool_choice');
  if (value === undefined) return null;
  const at = 'tool_choice';
  if (value === 'auto' || value === 'none' || value === 'required')
    return { value: { mode: value, allowed: null }, at };
  const choice = Fields.of(value, at, fields.dropped);
  const type = choice.requiredString('type');
  if (type === 'function' || type === 'custom') {
    const name = choice.object(type)?.requiredString('name');
    if (name === undefined) throw refuse(`${at}.${type}`, `"${at}.${type}" is missing.`);
    return { value: { mode: 'required', allowed: [name] }, at };
  }
  const allowed = type === 'allowed_tools' ? choice.object('allowed_tools') : null;
  if (allowed === null)
    throw refuse(`${at}.type`, `A tool choice of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  return { value: readAllowed(allowed), at };
}

/** `allowed_tools` of both OpenAI dialects: chat wraps the name in `function`, Responses does not. */
export function readAllowed(allowed: Fields): ToolChoice {
  const mode = allowed.oneOf('mode', ['auto', 'required'] as const) ?? 'auto';
  const names = allowed.objects('tools').map((tool) => {
    const type = tool.requiredString('type');
    const inner = tool.raw(type);
    return isObject(inner)
      ? Fields.of(inner, tool.place(type), tool.dropped).requiredString('name')
      : tool.requiredString('name');
  });
  return { mode, allowed: names };
}

function readFormat(fields: Fields): Setting<AnswerFormat> | null {
  const format = fields.object('response_format');
  if (format === null) return null;
  const at = 'response_format';
  const type = format.oneOf('type', ['text', 'json_object', 'json_schema'] as const);
  if (type === 'json_object') return { value: { kind: 'json' }, at };
  if (type !== 'json_schema') return null;
  const schema = format.object('json_schema');
  if (schema === null) throw refuse(`${at}.json_schema`, `"${at}.json_schema" is missing.`);
  return { value: readSchema(schema), at: schema.at };
}

export function readSchema(fields: Fields): AnswerFormat {
  const schema = fields.jsonObject('schema');
  if (schema === null) throw refuse(fields.place('schema'), `"${fields.place('schema')}" is missing.`);
  const format: AnswerFormat = {
    kind: 'schema',
    schema,
    name: fields.string('name'),
    description: fields.string('description'),
    isStrict: fields.bool('strict'),
  };
  fields.rest();
  return format;
}
