import { type Fields, refuse } from '../fields.js';
import { media, sourceOfUrl, text } from '../media.js';
import { readSignature } from '../signatures.js';
import type { AssistantPart, MediaPart, ResultPart, TextPart, Turn, UserPart } from '../request-model.js';

/** Records of what OpenAI's hosted tools did; the conversation makes sense without them. */
const HOSTED: ReadonlySet<string> = new Set([
  'web_search_call',
  'file_search_call',
  'tool_search_call',
  'code_interpreter_call',
]);

/**
 * The items of a Responses input as turns. Reasoning, text and calls of one answer are items of their own here and one turn
 * elsewhere, and so are the results of parallel calls.
 * @throws AppError `invalid_request`
 */
export function readItems(items: readonly Fields[]): Turn[] {
  const turns: Turn[] = [];
  for (const item of items) {
    const type = item.string('type') ?? 'message';
    switch (type) {
      case 'message':
        appendMessage(turns, item);
        break;
      case 'reasoning':
        appendAssistant(turns, readReasoning(item));
        break;
      case 'function_call':
      case 'custom_tool_call':
        appendAssistant(turns, [readCall(item, type === 'custom_tool_call')]);
        break;
      case 'function_call_output':
      case 'custom_tool_call_output':
        appendResult(turns, readResult(item));
        break;
      default:
        if (!HOSTED.has(type))
          throw refuse(item.place('type'), `Input items of type "${type.slice(0, 40)}" cannot be sent to this model.`);
        item.dropped.add(`input[].${type}`);
        continue;
    }
    for (const known of ['id', 'status', 'phase', 'caller', 'internal_chat_message_metadata_passthrough'])
      item.raw(known);
    item.rest();
  }
  return turns;
}

function appendAssistant(turns: Turn[], parts: readonly AssistantPart[]): void {
  const last = turns.at(-1);
  if (last?.role === 'assistant') turns[turns.length - 1] = { role: 'assistant', parts: [...last.parts, ...parts] };
  else turns.push({ role: 'assistant', parts });
}

function appendResult(turns: Turn[], part: ResultPart): void {
  const last = turns.at(-1);
  const isBehindResults = last?.role === 'user' && last.parts.every((one) => one.kind === 'result');
  if (isBehindResults) turns[turns.length - 1] = { role: 'user', parts: [...last.parts, part] };
  else turns.push({ role: 'user', parts: [part] });
}

function appendMessage(turns: Turn[], item: Fields): void {
  const role = item.requiredString('role');
  switch (role) {
    case 'system':
    case 'developer':
      turns.push({ role: 'system', isDeveloper: role === 'developer', parts: readContent(item) as TextPart[] });
      return;
    case 'user':
      turns.push({ role: 'user', parts: readContent(item) as UserPart[] });
      return;
    case 'assistant':
      appendAssistant(turns, readContent(item) as AssistantPart[]);
      return;
    default:
      throw refuse(item.place('role'), `"${item.place('role')}" must be user, assistant, system or developer.`);
  }
}

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  user: ['input_text', 'output_text', 'text', 'input_image', 'image_url', 'input_file', 'input_audio'],
  assistant: ['input_text', 'output_text', 'text', 'refusal'],
  system: ['input_text', 'output_text', 'text'],
  developer: ['input_text', 'output_text', 'text'],
};

function readContent(item: Fields): (TextPart | MediaPart | AssistantPart)[] {
  const content = item.raw('content');
  if (typeof content === 'string') return content === '' ? [] : [text(content)];
  if (content === undefined) throw refuse(item.place('content'), `"${item.place('content')}" is missing.`);
  const allowed = ALLOWED[item.requiredString('role')] as readonly string[];
  return item.objects('content').map((part) => {
    const type = part.requiredString('type');
    if (!allowed.includes(type))
      throw refuse(part.place('type'), `Content of type "${type.slice(0, 40)}" cannot stand here.`);
    return type === 'refusal' ? { kind: 'refusal', text: part.requiredString('refusal') } : readPart(part, type);
  });
}

function readPart(part: Fields, type: string): TextPart | MediaPart {
  switch (type) {
    case 'input_image':
      return readImage(part, part.place('image_url'), part.string('image_url'), part.string('detail'));
    case 'image_url': {
      // chat's form, which Cursor mixes in
      const inner = part.object('image_url');
      return readImage(
        part,
        part.place('image_url.url'),
        inner?.string('url') ?? null,
        inner?.string('detail') ?? null,
      );
    }
    case 'input_file':
      return readFile(part);
    case 'input_audio': {
      const inner = part.object('input_audio');
      const mediaType = `audio/${inner?.string('format') ?? 'wav'}`;
      return media('audio', { kind: 'data', mediaType, data: inner?.requiredString('data') ?? '' }, part.at);
    }
    default:
      part.drop('annotations');
      part.drop('logprobs');
      part.drop('prompt_cache_breakpoint');
      return text(part.requiredString('text'));
  }
}

function readImage(part: Fields, at: string, url: string | null, detail: string | null): MediaPart {
  if (url !== null) return media('image', sourceOfUrl(url, at), at, { detail });
  return media('image', { kind: 'id', id: part.requiredString('file_id') }, part.place('file_id'), { detail });
}

function readFile(part: Fields): MediaPart {
  const name = part.string('filename');
  const data = part.string('file_data');
  const url = part.string('file_url');
  if (data !== null) return media('file', sourceOfUrl(data, part.place('file_data')), part.at, { name });
  if (url !== null) return media('file', sourceOfUrl(url, part.place('file_url')), part.place('file_url'), { name });
  return media('file', { kind: 'id', id: part.requiredString('file_id') }, part.place('file_id'), { name });
}

function readCall(item: Fields, isCustom: boolean): AssistantPart {
  return {
    kind: 'call',
    id: item.requiredString('call_id'),
    name: item.requiredString('name'),
    args: item.string(isCustom ? 'input' : 'arguments') ?? '',
    isCustom,
    signature: null,
    at: item.at,
  };
}

function readResult(item: Fields): ResultPart {
  const output = item.raw('output');
  const callId = item.requiredString('call_id');
  const parts =
    typeof output === 'string'
      ? [text(output)]
      : item.objects('output').map((part) => {
          const type = part.requiredString('type');
          if (!['input_text', 'output_text', 'text', 'input_image', 'input_file'].includes(type))
            throw refuse(
              part.place('type'),
              `Tool output of type "${type.slice(0, 40)}" cannot be sent to this model.`,
            );
          return readPart(part, type);
        });
  item.raw('name');
  return { kind: 'result', callId, name: null, parts, isError: false, cache: null, at: item.at };
}

/** Encrypted content of another provider is its signature; the summary is what the caller was shown of it. */
function readReasoning(item: Fields): AssistantPart[] {
  const summary = item.objects('summary').map((part) => part.requiredString('text'));
  const content = item.objects('content').map((part) => part.string('text') ?? '');
  const encrypted = item.string('encrypted_content');
  const said = (content.length > 0 ? content : summary).join('\n\n');
  const id = item.string('id') ?? '';
  const read = encrypted === null ? null : readSignature(encrypted, 'openai');
  // OpenAI wants its item's id back beside its content.
  const signature = read?.by === 'openai' ? { by: read.by, value: `${id}|${read.value}` } : read;
  return [{ kind: 'thinking', text: said, signature, at: `${item.at}.reasoning` }];
}
