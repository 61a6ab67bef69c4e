import { isObject, refuse, type Dropped } from '../fields.js';
import { dataUrl } from '../media.js';
import { openAiProfile, type OpenAiProfile } from '../model-profile.js';
import { fileName, withProperties } from '../openai-chat/shared-fields.js';
import { effortOf, listLowered } from '../reasoning.js';
import type { AssistantPart, ChatRequest, Json, MediaPart, TextPart, Tool, Turn, UserPart } from '../request-model.js';
import { capped, offered, onlyTool, type TargetModel } from '../target.js';

/** The request as a Responses one; nothing is stored at OpenAI. @throws AppError `invalid_request` */
export function writeResponsesRequest(request: ChatRequest, target: TargetModel, dropped: Dropped): Json {
  const { verbosity, top_logprobs, ...openAiOnly } = request.openAiOnly;
  // Answers are translated without their log probabilities.
  if (top_logprobs !== undefined && top_logprobs !== 0) dropped.add('top_logprobs');
  const body: Json = { model: target.model, store: false };
  const turns = [...request.turns];
  const first = turns[0];
  if (first?.role === 'system' && !first.isDeveloper) {
    body.instructions = first.parts.map((part) => part.text).join('\n\n');
    turns.shift();
  }
  const customCalls = customCallsOf(turns);
  body.input = turns.flatMap((turn) => writeTurn(turn, customCalls, dropped));
  if (turns.length === 0) throw refuse('messages', 'There must be at least one user or assistant message.');
  if (request.turns.some((turn) => turn.parts.some((part) => 'cache' in part && part.cache !== null)))
    dropped.add('cache_control');
  if (request.isStream) body.stream = true;
  const tools = offered(request, dropped);
  if (tools.length > 0) {
    body.tools = tools.map(writeTool);
    writeToolChoice(body, request);
  }
  writeSettings(body, request, target, dropped);
  writeTextConfig(body, request, verbosity);
  Object.assign(body, openAiOnly);
  return body;
}

/** Ids of the calls whose results are items of another type here. */
function customCallsOf(turns: readonly Turn[]): ReadonlySet<string> {
  const ids = turns.flatMap((turn) =>
    turn.role === 'assistant'
      ? turn.parts.flatMap((part) => (part.kind === 'call' && part.isCustom ? [part.id] : []))
      : [],
  );
  return new Set(ids);
}

function writeTurn(turn: Turn, customCalls: ReadonlySet<string>, dropped: Dropped): Json[] {
  switch (turn.role) {
    case 'system': {
      const role = turn.isDeveloper ? 'developer' : 'system';
      return [{ type: 'message', role, content: turn.parts.map((part) => ({ type: 'input_text', text: part.text })) }];
    }
    case 'user':
      return writeUser(turn.parts, customCalls, dropped);
    case 'assistant':
      return writeAssistant(turn.parts, dropped);
  }
}

function writeUser(parts: readonly UserPart[], customCalls: ReadonlySet<string>, dropped: Dropped): Json[] {
  const items: Json[] = [];
  const rest: Json[] = [];
  for (const part of parts) {
    if (part.kind !== 'result') {
      rest.push(writePart(part));
      continue;
    }
    if (part.isError) dropped.add(`${part.at}.is_error`);
    const lone = part.parts.length === 1 ? part.parts[0] : undefined;
    const output = lone?.kind === 'text' ? lone.text : part.parts.map(writePart);
    const type = customCalls.has(part.callId) ? 'custom_tool_call_output' : 'function_call_output';
    items.push({ type, call_id: part.callId, output });
  }
  if (rest.length > 0) items.push({ type: 'message', role: 'user', content: rest });
  return items;
}

function writePart(part: TextPart | MediaPart): Json {
  if (part.kind === 'text') return { type: 'input_text', text: part.text };
  const { source } = part;
  if (part.kind === 'audio') throw refuse(part.at, `"${part.at}": this model takes no audio.`);
  if (part.kind === 'image') {
    const image =
      source.kind === 'id'
        ? { file_id: source.id }
        : { image_url: source.kind === 'url' ? source.url : dataUrl(source) };
    return { type: 'input_image', detail: part.detail ?? 'auto', ...image };
  }
  const name = fileName(part);
  if (source.kind === 'data') return { type: 'input_file', ...name, file_data: dataUrl(source) };
  return source.kind === 'url'
    ? { type: 'input_file', file_url: source.url }
    : { type: 'input_file', file_id: source.id };
}

function writeAssistant(parts: readonly AssistantPart[], dropped: Dropped): Json[] {
  const items: Json[] = [];
  for (const part of parts) {
    if (part.kind === 'call') items.push(writeCall(part));
    else if (part.kind === 'thinking') {
      const item = writeReasoning(part);
      if (item === null) dropped.add(part.at);
      else items.push(item);
    } else if (part.text !== '') {
      items.push({ type: 'message', role: 'assistant', content: part.text });
    }
  }
  return items;
}

function writeCall(part: AssistantPart & { kind: 'call' }): Json {
  return part.isCustom
    ? { type: 'custom_tool_call', call_id: part.id, name: part.name, input: part.args }
    : { type: 'function_call', call_id: part.id, name: part.name, arguments: part.args === '' ? '{}' : part.args };
}

/** Only OpenAI's own reasoning can go back to it; its signature is the item's id and its encrypted content. */
function writeReasoning(part: AssistantPart & { kind: 'thinking' }): Json | null {
  if (part.signature?.by !== 'openai') return null;
  const bar = part.signature.value.indexOf('|');
  return {
    type: 'reasoning',
    id: part.signature.value.slice(0, bar),
    summary: part.text === '' ? [] : [{ type: 'summary_text', text: part.text }],
    encrypted_content: part.signature.value.slice(bar + 1),
  };
}

function writeTool(tool: Tool): Json {
  const head = { name: tool.name, ...(tool.description === null ? {} : { description: tool.description }) };
  if (tool.custom !== null) {
    const format = isObject(tool.custom.format) ? { format: nestedToFlat(tool.custom.format) } : {};
    return { type: 'custom', ...head, ...format };
  }
  // `strict` is on by default in this dialect and off in the others.
  return {
    type: 'function',
    ...head,
    parameters: withProperties(tool.schema ?? { type: 'object' }),
    strict: tool.isStrict ?? false,
  };
}

function nestedToFlat(format: Json): Json {
  return isObject(format.grammar) ? { type: 'grammar', ...format.grammar } : format;
}

function writeToolChoice(body: Json, request: ChatRequest): void {
  const choice = request.toolChoice?.value;
  if (choice !== undefined) {
    const only = onlyTool(request);
    const isCustom = request.tools.some((tool) => tool.name === only && tool.custom !== null);
    body.tool_choice = only === null ? choice.mode : { type: isCustom ? 'custom' : 'function', name: only };
  }
  if (request.parallelCalls !== null) body.parallel_tool_calls = request.parallelCalls.value;
}

function writeSettings(body: Json, request: ChatRequest, target: TargetModel, dropped: Dropped): void {
  const profile = openAiProfile(target.knownAs ?? target.model);
  const { isReasoning } = profile;
  const isKin = request.source === 'openai';
  const maxTokens = capped(request.maxTokens, target, dropped);
  if (maxTokens !== null) body.max_output_tokens = maxTokens;
  writeReasoningSetting(body, request, profile, dropped);
  for (const [name, setting] of [
    ['temperature', request.temperature],
    ['top_p', request.topP],
  ] as const) {
    if (setting === null) continue;
    if (isReasoning && !isKin) dropped.add(setting.at);
    else body[name] = setting.value;
  }
  for (const setting of [request.frequencyPenalty, request.presencePenalty, request.topK, request.seed, request.stop])
    if (setting !== null && setting.value !== 0) dropped.add(setting.at);
  if (request.user === null) return;
  if (!isKin && request.user.value.length > 64) dropped.add(request.user.at);
  else body.user = request.user.value;
}

function writeReasoningSetting(body: Json, request: ChatRequest, profile: OpenAiProfile, dropped: Dropped): void {
  if (request.reasoning === null) return;
  const isKin = request.source === 'openai';
  if (!isKin && !profile.isReasoning) return dropped.add(request.reasoning.at);
  const wish = effortOf(request.reasoning);
  const effort = wish === null || isKin ? wish : profile.nearest(wish);
  if (effort !== null) listLowered(request.reasoning, effort, dropped);
  const summary = request.reasoning.isShown === true ? { summary: 'auto' } : {};
  body.reasoning = { ...(effort === null ? {} : { effort }), ...summary };
  // What is not stored must come back whole.
  body.include = ['reasoning.encrypted_content'];
}

function writeTextConfig(body: Json, request: ChatRequest, verbosity: unknown): void {
  const config: Json = verbosity === undefined ? {} : { verbosity };
  const format = request.format?.value;
  if (format?.kind === 'json') config.format = { type: 'json_object' };
  else if (format !== undefined) {
    config.format = {
      type: 'json_schema',
      name: format.name ?? 'answer',
      ...(format.description === null ? {} : { description: format.description }),
      schema: format.schema,
      ...(format.isStrict === null ? {} : { strict: format.isStrict }),
    };
  }
  if (Object.keys(config).length > 0) body.text = config;
}
