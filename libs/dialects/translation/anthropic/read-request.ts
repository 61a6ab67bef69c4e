import { Fields, refuse, type Dropped } from '../fields.js';
import { foreignId, media, sourceOfUrl, text } from '../media.js';
import { readSignature } from '../signatures.js';
import type {
  AssistantPart,
  ChatRequest,
  Effort,
  Json,
  MediaPart,
  Reasoning,
  ResultPart,
  Setting,
  TextPart,
  Tool,
  ToolChoice,
  Turn,
  UserPart,
} from '../request-model.js';

const EFFORTS: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];

/** Blocks that record what a server-side tool of Anthropic's did; another provider has no use for them. */
const SERVER_BLOCKS: ReadonlySet<string> = new Set([
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'mcp_tool_use',
  'mcp_tool_result',
]);

/** A Messages request (Anthropic API reference, "Create a Message"). @throws AppError `invalid_request` */
export function readMessagesRequest(body: Json, dropped: Dropped): ChatRequest {
  const fields = new Fields(body, '', dropped);
  const outputConfig = fields.object('output_config');
  const format = outputConfig?.object('format') ?? null;
  const request: ChatRequest = {
    source: 'anthropic',
    model: fields.string('model'),
    isStream: fields.bool('stream') ?? false,
    wantsStreamUsage: true,
    turns: [...readSystem(fields), ...readMessages(fields)],
    tools: readTools(fields),
    toolChoice: null,
    parallelCalls: null,
    ...readToolChoice(fields),
    format: format === null ? null : readFormat(format),
    reasoning: readThinking(fields, outputConfig),
    maxTokens: fields.countSetting('max_tokens'),
    temperature: readTemperature(fields),
    topP: fields.numberSetting('top_p'),
    topK: fields.numberSetting('top_k'),
    frequencyPenalty: null,
    presencePenalty: null,
    seed: null,
    stop: readStop(fields),
    user: readUser(fields),
    openAiOnly: {},
  };
  if (request.maxTokens === null) throw refuse('max_tokens', '"max_tokens" is missing: it must be a whole number.');
  outputConfig?.rest();
  fields.drop('service_tier', 'auto', 'standard_only');
  fields.drop('speed', 'standard');
  fields.rest();
  return request;
}

function readTemperature(fields: Fields): Setting<number> | null {
  const setting = fields.numberSetting('temperature');
  if (setting !== null && (setting.value < 0 || setting.value > 1))
    throw refuse(setting.at, `"${setting.at}" must be between 0 and 1.`);
  return setting;
}

function readStop(fields: Fields): Setting<readonly string[]> | null {
  const stop = fields.strings('stop_sequences');
  return stop === null || stop.length === 0 ? null : { value: stop, at: 'stop_sequences' };
}

function readUser(fields: Fields): Setting<string> | null {
  const metadata = fields.object('metadata');
  const user = metadata?.string('user_id') ?? null;
  metadata?.rest();
  return user === null ? null : { value: user, at: 'metadata.user_id' };
}

function readFormat(format: Fields): ChatRequest['format'] {
  format.oneOf('type', ['json_schema'] as const);
  const schema = format.jsonObject('schema');
  if (schema === null) throw refuse(format.place('schema'), `"${format.place('schema')}" is missing.`);
  return { value: { kind: 'schema', schema, name: null, description: null, isStrict: true }, at: format.at };
}

function readThinking(fields: Fields, outputConfig: Fields | null): Reasoning | null {
  const effort = outputConfig?.oneOf('effort', EFFORTS) ?? null;
  const thinking = fields.object('thinking');
  const at = thinking === null ? 'output_config.effort' : 'thinking';
  if (thinking === null) return effort === null ? null : { effort, budgetTokens: null, isShown: null, at };
  const type = thinking.oneOf('type', ['enabled', 'disabled', 'adaptive', 'between_tools'] as const);
  if (type === 'disabled') return { effort: 'none', budgetTokens: null, isShown: false, at };
  const display = thinking.oneOf('display', ['summarized', 'omitted'] as const);
  const budgetTokens = thinking.number('budget_tokens');
  if (type === 'enabled' && budgetTokens === null)
    throw refuse('thinking.budget_tokens', '"thinking.budget_tokens" is missing.');
  return { effort, budgetTokens: effort === null ? budgetTokens : null, isShown: display !== 'omitted', at };
}

const cacheOf = (fields: Fields): Json | null => fields.jsonObject('cache_control');

function readSystem(fields: Fields): Turn[] {
  const parts = readTexts(fields, 'system');
  return parts.length === 0 ? [] : [{ role: 'system', isDeveloper: false, parts }];
}

function readTexts(fields: Fields, name: string): TextPart[] {
  const content = fields.raw(name);
  if (typeof content === 'string') return content === '' ? [] : [text(content)];
  return fields.objects(name).map((block) => {
    if (block.requiredString('type') !== 'text')
      throw refuse(block.place('type'), `"${block.place('type')}" must be "text".`);
    return readText(block);
  });
}

function readText(block: Fields): TextPart {
  const part = text(block.requiredString('text'), cacheOf(block));
  block.drop('citations');
  block.rest();
  return part;
}

function readMessages(fields: Fields): Turn[] {
  const messages = fields.objects('messages');
  if (messages.length === 0) throw refuse('messages', '"messages" must be a non-empty array.');
  return messages.map((message) => {
    const role = message.requiredString('role');
    const turn = readMessage(message, role);
    message.rest();
    return turn;
  });
}

function readMessage(message: Fields, role: string): Turn {
  // Claude Code writes system messages between the others.
  if (role === 'system') return { role, isDeveloper: false, parts: readTexts(message, 'content') };
  if (role !== 'user' && role !== 'assistant')
    throw refuse(message.place('role'), `"${message.place('role')}" must be user, assistant or system.`);
  const content = message.raw('content');
  if (content === undefined) throw refuse(message.place('content'), `"${message.place('content')}" is missing.`);
  if (typeof content === 'string') return { role, parts: [text(content)] };
  const blocks = message.objects('content');
  return role === 'user'
    ? { role, parts: blocks.flatMap(readUserBlock) }
    : { role, parts: blocks.flatMap(readAssistantBlock) };
}

function readUserBlock(block: Fields): UserPart[] {
  return block.requiredString('type') === 'tool_result' ? [readResult(block)] : readContentBlock(block);
}

function readResult(block: Fields): ResultPart {
  const content = block.raw('content');
  const parts =
    typeof content === 'string'
      ? [text(content)]
      : block.objects('content').flatMap((inner) => readContentBlock(inner));
  const part: ResultPart = {
    kind: 'result',
    callId: block.requiredString('tool_use_id'),
    name: null,
    parts,
    isError: block.bool('is_error') ?? false,
    cache: cacheOf(block),
    at: block.at,
  };
  block.rest();
  return part;
}

function readContentBlock(block: Fields): (TextPart | MediaPart)[] {
  const type = block.requiredString('type');
  switch (type) {
    case 'text':
      return [readText(block)];
    case 'image':
      return [readMedia(block, 'image')];
    case 'document':
      return readDocument(block);
    case 'search_result':
      return readSearchResult(block);
    case 'tool_reference':
      return [text(`[tool ${block.requiredString('tool_name')} is now available]`)];
    default:
      if (SERVER_BLOCKS.has(type)) {
        block.dropped.add(`${block.at}.${type}`);
        return [];
      }
      throw refuse(block.place('type'), `Content of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  }
}

function readMedia(block: Fields, kind: 'image' | 'file'): MediaPart {
  const source = block.object('source');
  if (source === null) throw refuse(block.place('source'), `"${block.place('source')}" is missing.`);
  const more = { name: kind === 'file' ? block.string('title') : null, cache: cacheOf(block) };
  switch (source.requiredString('type')) {
    case 'base64': {
      const mediaType = source.requiredString('media_type');
      return media(kind, { kind: 'data', mediaType, data: source.requiredString('data') }, source.at, more);
    }
    case 'url': {
      const at = source.place('url');
      const mediaType = kind === 'file' ? 'application/pdf' : null;
      return media(kind, sourceOfUrl(source.requiredString('url'), at, mediaType), at, more);
    }
    case 'file':
      throw foreignId(source.place('file_id'));
    default:
      throw refuse(source.place('type'), `"${source.place('type')}" must be base64, url or file.`);
  }
}

/** PDFs stay files; documents of text become text under their title. */
function readDocument(block: Fields): (TextPart | MediaPart)[] {
  const source = block.object('source');
  const type = source?.string('type');
  block.drop('context');
  if (block.object('citations')?.bool('enabled') === true) block.dropped.add(block.place('citations'));
  if (source === null || (type !== 'text' && type !== 'content')) return [readMedia(block, 'file')];
  const title = block.string('title');
  const head = title === null ? [] : [text(`# ${title}`)];
  if (type === 'text') return [...head, text(source.requiredString('data'), cacheOf(block))];
  const content = source.raw('content');
  if (typeof content === 'string') return [...head, text(content, cacheOf(block))];
  return [...head, ...source.objects('content').flatMap((inner) => readContentBlock(inner))];
}

function readSearchResult(block: Fields): TextPart[] {
  block.drop('citations');
  const head = text(`# ${block.requiredString('title')}\n${block.requiredString('source')}`);
  return [head, ...readTexts(block, 'content')];
}

function readAssistantBlock(block: Fields): AssistantPart[] {
  const type = block.requiredString('type');
  switch (type) {
    case 'text':
      return [readText(block)];
    case 'thinking': {
      const signature = block.string('signature') ?? '';
      const read = signature === '' ? null : readSignature(signature, 'anthropic');
      return [{ kind: 'thinking', text: block.string('thinking') ?? '', signature: read, at: `${block.at}.thinking` }];
    }
    case 'redacted_thinking': {
      const signature = readSignature(block.requiredString('data'), 'anthropic_redacted');
      return [{ kind: 'thinking', text: '', signature, at: `${block.at}.redacted_thinking` }];
    }
    case 'tool_use': {
      const input = block.jsonObject('input') ?? {};
      const call: AssistantPart = {
        kind: 'call',
        id: block.requiredString('id'),
        name: block.requiredString('name'),
        args: JSON.stringify(input),
        isCustom: false,
        signature: null,
        at: block.at,
      };
      block.drop('cache_control');
      block.raw('caller'); // "direct" is the only kind another provider's model can have
      block.rest();
      return [call];
    }
    default:
      if (SERVER_BLOCKS.has(type)) {
        block.dropped.add(`${block.at}.${type}`);
        return [];
      }
      throw refuse(block.place('type'), `Content of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  }
}

/** Tools with a type of their own run at Anthropic or have a schema only its models know. */
function readTools(fields: Fields): Tool[] {
  const tools: Tool[] = [];
  for (const tool of fields.objects('tools')) {
    const type = tool.string('type');
    if (type !== null && type !== 'custom') {
      tool.dropped.add(`tools[].${type}`);
      continue;
    }
    tools.push({
      name: tool.requiredString('name'),
      description: tool.string('description'),
      schema: tool.jsonObject('input_schema'),
      isStrict: tool.bool('strict'),
      custom: null,
      cache: cacheOf(tool),
      at: tool.at,
    });
    tool.drop('eager_input_streaming', true, false);
    tool.drop('defer_loading', false);
    tool.rest();
  }
  return tools;
}

function readToolChoice(fields: Fields): { toolChoice?: Setting<ToolChoice>; parallelCalls?: Setting<boolean> } {
  const choice = fields.object('tool_choice');
  if (choice === null) return {};
  const at = 'tool_choice';
  const type = choice.oneOf('type', ['auto', 'any', 'tool', 'none'] as const);
  const isSerial = choice.bool('disable_parallel_tool_use') ?? false;
  const mode = type === 'auto' || type === 'none' ? type : 'required';
  const allowed = type === 'tool' ? [choice.requiredString('name')] : null;
  return {
    toolChoice: { value: { mode, allowed }, at },
    ...(isSerial ? { parallelCalls: { value: false, at: `${at}.disable_parallel_tool_use` } } : {}),
  };
}
