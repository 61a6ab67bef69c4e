import { Dropped, isObject, refuse } from '../fields.js';
import { dataUrl, foreignId } from '../media.js';
import { openAiProfile, type OpenAiProfile } from '../model-profile.js';
import type {
  AssistantPart,
  CallPart,
  ChatRequest,
  Json,
  MediaPart,
  ResultPart,
  TextPart,
  Tool,
  Turn,
  UserPart,
} from '../request-model.js';
import { writeSignature } from '../signatures.js';
import { capped, offered, onlyTool, type TargetModel } from '../target.js';
import { effortOf, listLowered } from '../reasoning.js';
import { fileName, withProperties } from './shared-fields.js';

/**
 * The request as chat completions. A caller of OpenAI's other dialect knows what its model takes; what other callers say is
 * held against the model's name first.
 * @throws AppError `invalid_request` for what chat cannot carry
 */
export function writeChatRequest(request: ChatRequest, target: TargetModel, dropped: Dropped): Json {
  const tools = offered(request, dropped);
  const body: Json = { ...(request.model === null && target.model === '' ? {} : { model: target.model }) };
  const profile = openAiProfile(target.knownAs ?? target.model);
  body.messages = writeTurns(request, profile.isOpenAi || request.source === 'openai', dropped);
  if (request.isStream) body.stream = true;
  if (request.isStream && request.wantsStreamUsage) body.stream_options = { include_usage: true };
  if (tools.length > 0) {
    body.tools = tools.map((tool) => writeTool(tool, dropped));
    writeToolChoice(body, request);
  }
  writeSettings(body, request, target, dropped);
  writeFormat(body, request);
  Object.assign(body, request.openAiOnly);
  if (request.openAiOnly.top_logprobs !== undefined) body.logprobs = true;
  return body;
}

function writeTurns(request: ChatRequest, knowsDeveloper: boolean, dropped: Dropped): Json[] {
  const messages: Json[] = [];
  for (const turn of request.turns) appendTurn(messages, turn, knowsDeveloper, dropped);
  return messages;
}

function appendTurn(messages: Json[], turn: Turn, knowsDeveloper: boolean, dropped: Dropped): void {
  switch (turn.role) {
    case 'system': {
      const role = turn.isDeveloper && knowsDeveloper ? 'developer' : 'system';
      if (turn.parts.length > 0) messages.push({ role, content: writeContent(turn.parts, dropped) });
      return;
    }
    case 'assistant': {
      const message = writeAssistant(turn.parts, dropped);
      if (message !== null) messages.push(message);
      return;
    }
    case 'user':
      appendUser(messages, turn.parts, dropped);
  }
}

/** Results become messages of their own, first; pictures inside them go into the user message behind. */
function appendUser(messages: Json[], parts: readonly UserPart[], dropped: Dropped): void {
  const rest: (TextPart | MediaPart)[] = [];
  for (const part of parts) {
    if (part.kind !== 'result') rest.push(part);
    else messages.push(writeResult(part, rest, dropped));
  }
  if (rest.length > 0) messages.push({ role: 'user', content: writeContent(rest, dropped) });
}

function writeResult(part: ResultPart, rest: (TextPart | MediaPart)[], dropped: Dropped): Json {
  const texts: TextPart[] = [];
  const pictures: MediaPart[] = [];
  for (const inner of part.parts) (inner.kind === 'text' ? texts : pictures).push(inner as never);
  if (pictures.length > 0) {
    const note = `[${pictures.length} attachment(s) of tool result ${part.callId}]`;
    rest.push({ kind: 'text', text: note, cache: null }, ...pictures);
    texts.push({ kind: 'text', text: '[attachment follows]', cache: null });
  }
  if (part.isError) dropped.add(`${part.at}.is_error`);
  if (part.cache !== null) dropped.add(`${part.at}.cache_control`);
  return { role: 'tool', tool_call_id: part.callId, content: writeContent(texts, dropped) };
}

/** One text is a string: some servers of this dialect know no list. */
function writeContent(parts: readonly (TextPart | MediaPart)[], dropped: Dropped): string | Json[] {
  if (parts.length === 0) return '';
  for (const part of parts) if (part.cache !== null) dropped.add('cache_control');
  const first = parts[0] as TextPart | MediaPart;
  if (parts.length === 1 && first.kind === 'text') return first.text;
  return parts.map(writePart);
}

function writePart(part: TextPart | MediaPart): Json {
  if (part.kind === 'text') return { type: 'text', text: part.text };
  const { source } = part;
  if (part.kind === 'image') {
    if (source.kind === 'id') throw foreignId(part.at);
    const url = source.kind === 'url' ? source.url : dataUrl(source);
    return { type: 'image_url', image_url: { url, ...(part.detail === null ? {} : { detail: part.detail }) } };
  }
  if (part.kind === 'audio') {
    const format = source.kind === 'data' ? /^audio\/(?:x-)?(wav|mp3|mpeg)$/.exec(source.mediaType)?.[1] : undefined;
    if (format === undefined || source.kind !== 'data')
      throw refuse(part.at, `"${part.at}" must be wav or mp3 data for this model.`);
    return { type: 'input_audio', input_audio: { data: source.data, format: format === 'mpeg' ? 'mp3' : format } };
  }
  if (source.kind === 'url')
    throw refuse(part.at, `"${part.at}" must be sent as data: this model takes no addresses of files.`);
  const file = source.kind === 'id' ? { file_id: source.id } : { file_data: dataUrl(source) };
  return { type: 'file', file: { ...file, ...fileName(part) } };
}

function writeAssistant(parts: readonly AssistantPart[], dropped: Dropped): Json | null {
  const texts: TextPart[] = [];
  const calls: Json[] = [];
  let refusal: string | null = null;
  for (const part of parts) {
    if (part.kind === 'text') texts.push(part);
    else if (part.kind === 'call') calls.push(writeCall(part));
    else if (part.kind === 'refusal') refusal = (refusal ?? '') + part.text;
    else dropped.add(part.at);
  }
  if (texts.length === 0 && calls.length === 0 && refusal === null) return null;
  return {
    role: 'assistant',
    content: texts.length === 0 ? null : writeContent(texts, dropped),
    ...(refusal === null ? {} : { refusal }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function writeCall(part: CallPart): Json {
  // Servers that speak for Gemini in this dialect want its signature back here.
  const extra =
    part.signature === null
      ? {}
      : { extra_content: { google: { thought_signature: writeSignature(part.signature, 'gemini') } } };
  return part.isCustom
    ? { id: part.id, type: 'custom', custom: { name: part.name, input: part.args } }
    : {
        id: part.id,
        type: 'function',
        function: { name: part.name, arguments: part.args === '' ? '{}' : part.args },
        ...extra,
      };
}

function writeTool(tool: Tool, dropped: Dropped): Json {
  if (tool.cache !== null) dropped.add('cache_control');
  const head = { name: tool.name, ...(tool.description === null ? {} : { description: tool.description }) };
  if (tool.custom !== null) {
    return {
      type: 'custom',
      custom: { ...head, ...(isObject(tool.custom.format) ? { format: flatToNested(tool.custom.format) } : {}) },
    };
  }
  return {
    type: 'function',
    function: {
      ...head,
      ...(tool.schema === null ? {} : { parameters: withProperties(tool.schema) }),
      ...(tool.isStrict === null ? {} : { strict: tool.isStrict }),
    },
  };
}

/** Responses writes a grammar flat, chat in an object. */
function flatToNested(format: Json): Json {
  if (format.type !== 'grammar' || isObject(format.grammar)) return format;
  return { type: 'grammar', grammar: { definition: format.definition, syntax: format.syntax } };
}

function writeToolChoice(body: Json, request: ChatRequest): void {
  const choice = request.toolChoice?.value;
  if (choice !== undefined) {
    const only = onlyTool(request);
    const isCustom = request.tools.some((tool) => tool.name === only && tool.custom !== null);
    if (only === null) body.tool_choice = choice.mode;
    else
      body.tool_choice = isCustom
        ? { type: 'custom', custom: { name: only } }
        : { type: 'function', function: { name: only } };
  }
  if (request.parallelCalls !== null) body.parallel_tool_calls = request.parallelCalls.value;
}

function writeEffort(body: Json, request: ChatRequest, profile: OpenAiProfile, dropped: Dropped): void {
  const { reasoning, source } = request;
  if (reasoning === null) return;
  const effort = effortOf(reasoning);
  if (source === 'openai') {
    if (effort !== null) body.reasoning_effort = effort;
    // Chat has no switch for showing it.
    if (reasoning.isShown !== null) dropped.add(`${reasoning.at}.summary`);
  } else if (effort !== null && profile.isReasoning) {
    body.reasoning_effort = profile.nearest(effort);
    listLowered(reasoning, profile.nearest(effort), dropped);
  } else dropped.add(reasoning.at);
}

function writeSettings(body: Json, request: ChatRequest, target: TargetModel, dropped: Dropped): void {
  const profile = openAiProfile(target.knownAs ?? target.model);
  const isKin = request.source === 'openai';
  const maxTokens = capped(request.maxTokens, target, dropped);
  if (maxTokens !== null) body[isKin || profile.isOpenAi ? 'max_completion_tokens' : 'max_tokens'] = maxTokens;
  writeEffort(body, request, profile, dropped);
  const isPicky = profile.isReasoning && !isKin;
  for (const [name, setting] of [
    ['temperature', request.temperature],
    ['top_p', request.topP],
    ['frequency_penalty', request.frequencyPenalty],
    ['presence_penalty', request.presencePenalty],
    ['seed', request.seed],
    ['stop', request.stop],
    ['user', request.user],
  ] as const) {
    if (setting === null) continue;
    const isRefused = isPicky && name !== 'seed' && name !== 'user';
    const isTooMany = name === 'stop' && (setting.value as readonly string[]).length > 4;
    // OpenAI takes four stop sequences and 64 characters of user.
    const isTooLong = name === 'user' && !isKin && (setting.value as string).length > 64;
    if (isRefused || isTooMany || isTooLong) dropped.add(setting.at);
    else body[name] = setting.value;
  }
  if (request.topK === null) return;
  if (profile.isOpenAi) dropped.add(request.topK.at);
  else body.top_k = request.topK.value;
}

function writeFormat(body: Json, request: ChatRequest): void {
  const format = request.format?.value;
  if (format === undefined) return;
  if (format.kind === 'json') {
    body.response_format = { type: 'json_object' };
    return;
  }
  body.response_format = {
    type: 'json_schema',
    json_schema: {
      name: format.name ?? 'answer',
      ...(format.description === null ? {} : { description: format.description }),
      schema: format.schema,
      ...(format.isStrict === null ? {} : { strict: format.isStrict }),
    },
  };
}
