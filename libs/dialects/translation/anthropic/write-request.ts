import { refuse, type Dropped } from '../fields.js';
import { foreignId, typeOfUrl } from '../media.js';
import { claudeProfile } from '../model-profile.js';
import { argsObject } from '../arguments.js';
import type {
  AssistantPart,
  ChatRequest,
  Json,
  MediaPart,
  ResultPart,
  TextPart,
  Tool,
  Turn,
  UserPart,
} from '../request-model.js';
import { capped, offered, onlyTool, type TargetModel } from '../target.js';
import { dropOpenAiOnly } from '../openai-chat/shared-fields.js';
import { writeThinking } from './write-thinking.js';

const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

/** The request as an Anthropic message. @throws AppError `invalid_request` for what a message cannot carry */
export function writeMessagesRequest(request: ChatRequest, target: TargetModel, dropped: Dropped): Json {
  const system = request.turns.flatMap((turn) => (turn.role === 'system' ? turn.parts : []));
  const profile = claudeProfile(target.knownAs ?? target.model);
  const maxTokens = capped(request.maxTokens, target, dropped) ?? target.maxOutputTokens ?? profile.defaultMaxTokens;
  const body: Json = { model: target.model, max_tokens: maxTokens };
  if (system.length > 0) body.system = writeSystem(system);
  body.messages = writeTurns(request.turns, dropped);
  if (request.isStream) body.stream = true;
  const tools = offered(request, dropped);
  if (tools.length > 0) {
    body.tools = tools.map((tool) => writeTool(tool, dropped));
    writeToolChoice(body, request);
  }
  const thinks = writeThinking(body, request, maxTokens, profile, dropped);
  writeSampling(body, request, thinks, profile, dropped);
  writeFormat(body, request, dropped);
  if (request.stop !== null) body.stop_sequences = request.stop.value;
  if (request.user !== null) body.metadata = { user_id: request.user.value };
  for (const setting of [request.frequencyPenalty, request.presencePenalty, request.seed])
    if (setting !== null && setting.value !== 0) dropped.add(setting.at);
  dropOpenAiOnly(request, dropped);
  return body;
}

/** One unmarked text is a plain string, as most callers write it. */
function writeSystem(parts: readonly TextPart[]): string | Json[] {
  const first = parts[0] as TextPart;
  return parts.length === 1 && first.cache === null ? first.text : parts.map(writeText);
}

/** Anthropic wants turns of user and assistant; neighbours of the same role are joined, so that results stand together. */
function writeTurns(turns: readonly Turn[], dropped: Dropped): Json[] {
  const messages: { role: string; content: Json[] }[] = [];
  for (const turn of turns) {
    if (turn.role === 'system') continue;
    const content =
      turn.role === 'user'
        ? turn.parts.map(writeUserPart)
        : turn.parts.flatMap((part) => writeAssistantPart(part, dropped));
    if (content.length === 0) continue;
    const last = messages.at(-1);
    if (last?.role === turn.role) last.content.push(...content);
    else messages.push({ role: turn.role, content });
  }
  if (messages.length === 0) throw refuse('messages', 'There must be at least one user or assistant message.');
  for (const message of messages) if (message.role === 'user') message.content = resultsFirst(message.content);
  return messages;
}

/** Results must stand before everything else of their message. */
function resultsFirst(content: Json[]): Json[] {
  if (content.every((block) => block.type !== 'tool_result')) return content;
  return [...content.filter((b) => b.type === 'tool_result'), ...content.filter((b) => b.type !== 'tool_result')];
}

const marked = (block: Json, cache: Json | null): Json => (cache === null ? block : { ...block, cache_control: cache });

function writeText(part: TextPart): Json {
  return marked({ type: 'text', text: part.text }, part.cache);
}

function writeUserPart(part: UserPart): Json {
  if (part.kind === 'text') return writeText(part);
  return part.kind === 'result' ? writeResult(part) : writeMedia(part);
}

function writeResult(part: ResultPart): Json {
  const first = part.parts[0];
  const content =
    part.parts.length === 1 && first?.kind === 'text' && first.cache === null
      ? first.text
      : part.parts.map((inner) => (inner.kind === 'text' ? writeText(inner) : writeMedia(inner)));
  const block = {
    type: 'tool_result',
    tool_use_id: safeId(part.callId),
    content,
    ...(part.isError ? { is_error: true } : {}),
  };
  return marked(block, part.cache);
}

/** Anthropic's ids are letters, digits, `_` and `-`; call and result change in the same way. */
function safeId(id: string): string {
  return id.replace(/[^\w-]/g, '_');
}

function writeMedia(part: MediaPart): Json {
  const { source } = part;
  if (source.kind === 'id') throw foreignId(part.at);
  if (part.kind === 'audio') throw refuse(part.at, `"${part.at}": this model takes no audio.`);
  if (part.kind === 'image') {
    if (source.kind === 'data' && !IMAGE_TYPES.has(source.mediaType))
      throw refuse(part.at, `"${part.at}" must be a JPEG, PNG, GIF or WebP image for this model.`);
    return marked({ type: 'image', source: writeSource(source) }, part.cache);
  }
  const title = part.name === null ? {} : { title: part.name };
  if (source.kind === 'data' && source.mediaType.startsWith('text/')) {
    const data = Buffer.from(source.data, 'base64').toString();
    return marked({ type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...title }, part.cache);
  }
  const type =
    source.kind === 'data' ? source.mediaType : (source.mediaType ?? typeOfUrl(source.url) ?? 'application/pdf');
  if (type !== 'application/pdf') throw refuse(part.at, `"${part.at}" must be a PDF or text file for this model.`);
  return marked({ type: 'document', source: writeSource(source), ...title }, part.cache);
}

function writeSource(source: Exclude<MediaPart['source'], { kind: 'id' }>): Json {
  return source.kind === 'url'
    ? { type: 'url', url: source.url }
    : { type: 'base64', media_type: source.mediaType, data: source.data };
}

function writeAssistantPart(part: AssistantPart, dropped: Dropped): Json[] {
  switch (part.kind) {
    case 'text':
      return part.text === '' ? [] : [writeText(part)];
    case 'refusal':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }];
    case 'call':
      if (part.signature !== null) dropped.add(`${part.at}.signature`);
      return [{ type: 'tool_use', id: safeId(part.id), name: part.name, input: argsObject(part) }];
    case 'thinking':
      // Unsigned or foreign reasoning would be refused.
      if (part.signature?.by === 'anthropic')
        return [{ type: 'thinking', thinking: part.text, signature: part.signature.value }];
      if (part.signature?.by === 'anthropic_redacted')
        return [{ type: 'redacted_thinking', data: part.signature.value }];
      dropped.add(part.at);
      return [];
  }
}

/** What a free-text tool looks like to a dialect that only knows functions; its calls are turned back in the answer. */
const FREE_TEXT = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input, as free text.' } },
  required: ['input'],
};

function writeTool(tool: Tool, dropped: Dropped): Json {
  if (tool.custom !== null && tool.custom.format !== undefined) dropped.add('tools[].custom.format');
  const block = {
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    input_schema: tool.custom === null ? objectSchema(tool.schema) : FREE_TEXT,
    ...(tool.isStrict === true ? { strict: true } : {}),
  };
  return marked(block, tool.cache);
}

/** A function without parameters still has a schema here. */
function objectSchema(schema: Json | null): Json {
  if (schema === null) return { type: 'object', properties: {} };
  return schema.type === 'object' ? schema : { ...schema, type: 'object' };
}

function writeToolChoice(body: Json, request: ChatRequest): void {
  const mode = request.toolChoice?.value.mode ?? 'auto';
  const only = onlyTool(request);
  const isSerial = request.parallelCalls?.value === false && mode !== 'none' ? { disable_parallel_tool_use: true } : {};
  if (request.toolChoice === null && request.parallelCalls?.value !== false) return;
  if (only !== null) body.tool_choice = { type: 'tool', name: only, ...isSerial };
  else body.tool_choice = { type: mode === 'required' ? 'any' : mode, ...isSerial };
}

function writeSampling(
  body: Json,
  request: ChatRequest,
  thinks: boolean,
  profile: ReturnType<typeof claudeProfile>,
  dropped: Dropped,
): void {
  const { temperature, topP, topK } = request;
  for (const setting of [temperature, topP, topK]) {
    // With thinking on, only the defaults are taken.
    if (setting !== null && (!profile.takesSampling || thinks)) dropped.add(setting.at);
  }
  if (!profile.takesSampling || thinks) return;
  if (temperature !== null) {
    if (temperature.value > 1) dropped.add(`${temperature.at}:lowered`);
    body.temperature = Math.min(temperature.value, 1);
  }
  if (topP !== null) {
    if (temperature !== null && !profile.takesBothSamplers) dropped.add(topP.at);
    else body.top_p = topP.value;
  }
  if (topK !== null) body.top_k = topK.value;
}

function writeFormat(body: Json, request: ChatRequest, dropped: Dropped): void {
  if (request.format === null) return;
  const format = request.format.value;
  // There is no "any JSON" mode; callers of it must ask for JSON in the prompt anyway.
  if (format.kind === 'json') return dropped.add(request.format.at);
  const config = (body.output_config as Json | undefined) ?? {};
  body.output_config = { ...config, format: { type: 'json_schema', schema: format.schema } };
}
