import { AppError } from '#libs/platform/errors.js';

/**
 * Cursor posts Responses-shaped bodies (`input`, no `messages`) to the chat path and expects chat chunks back (LLM-3).
 * The request is turned into a chat request; the answer then already has the shape the client wants.
 */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields with the same name and meaning on both sides. */
const SHARED: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'temperature',
  'top_p',
  'parallel_tool_calls',
  'user',
  'metadata',
  'store',
  'service_tier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'stream_options',
  'top_logprobs',
]);
/** Fields that are turned into something else below. */
const TURNED: ReadonlySet<string> = new Set([
  'instructions',
  'input',
  'max_output_tokens',
  'tools',
  'tool_choice',
  'reasoning',
  'text',
]);

function contentPart(part: unknown): unknown {
  if (!isObject(part)) return part;
  switch (part.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'text', text: part.text };
    case 'input_image':
      return {
        type: 'image_url',
        image_url: { url: part.image_url, ...(part.detail === undefined ? {} : { detail: part.detail }) },
      };
    case 'input_file':
      return { type: 'file', file: { file_id: part.file_id, file_data: part.file_data, filename: part.filename } };
    default:
      return part;
  }
}

function content(value: unknown): unknown {
  return Array.isArray(value) ? value.map(contentPart) : value;
}

/** A tool call of the assistant; parallel calls stand as separate items in Responses, but in one message in chat. */
function appendCall(messages: Json[], call: Json): void {
  const last = messages.at(-1);
  if (last?.role === 'assistant' && Array.isArray(last.tool_calls)) last.tool_calls.push(call);
  else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
}

/** One input item as chat messages; reasoning items have no counterpart and are left out. */
function appendItem(messages: Json[], item: Json): void {
  switch (item.type) {
    case 'function_call':
      return appendCall(messages, {
        id: item.call_id,
        type: 'function',
        function: { name: item.name, arguments: item.arguments },
      });
    case 'custom_tool_call':
      return appendCall(messages, { id: item.call_id, type: 'custom', custom: { name: item.name, input: item.input } });
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const output = typeof item.output === 'string' ? item.output : JSON.stringify(item.output);
      return void messages.push({ role: 'tool', tool_call_id: item.call_id, content: output });
    }
    case 'reasoning':
      return;
    default:
      if (typeof item.role !== 'string') {
        const text = `Input items of type "${String(item.type)}" cannot be sent to a chat route.`;
        throw new AppError('invalid_request', { text, param: 'input' });
      }
      messages.push({ role: item.role, content: content(item.content) });
  }
}

/** Responses describes a tool flat, chat in an object named like its type. */
function chatTool(tool: unknown): unknown {
  if (!isObject(tool) || (tool.type !== 'function' && tool.type !== 'custom') || isObject(tool[tool.type])) return tool;
  const { type, ...definition } = tool;
  return { type, [type as string]: definition };
}

function chatToolChoice(choice: unknown): unknown {
  return isObject(choice) && (choice.type === 'function' || choice.type === 'custom') && typeof choice.name === 'string'
    ? { type: choice.type, [choice.type]: { name: choice.name } }
    : choice;
}

function responseFormat(text: unknown): unknown {
  const format = isObject(text) ? text.format : undefined;
  if (!isObject(format) || format.type !== 'json_schema') return format;
  const { type: _type, ...schema } = format;
  return { type: 'json_schema', json_schema: schema };
}

/**
 * A Responses request as a chat request. `dropped` names the fields that chat has no place for, so that the answer can say so.
 * @throws AppError `invalid_request` for items that chat cannot carry
 */
export function responsesToChat(body: Json): { readonly chat: Json; readonly dropped: readonly string[] } {
  const messages: Json[] = [];
  if (typeof body.instructions === 'string') messages.push({ role: 'system', content: body.instructions });
  if (typeof body.input === 'string') messages.push({ role: 'user', content: body.input });
  else if (Array.isArray(body.input)) for (const item of body.input) appendItem(messages, isObject(item) ? item : {});
  else throw new AppError('invalid_request', { text: '"input" must be a string or an array.', param: 'input' });

  const chat: Json = { messages };
  const dropped: string[] = [];
  for (const [field, value] of Object.entries(body)) {
    if (SHARED.has(field)) chat[field] = value;
    else if (!TURNED.has(field)) dropped.push(field);
  }
  if (body.top_logprobs !== undefined) chat.logprobs = true;
  if (body.max_output_tokens !== undefined) chat.max_completion_tokens = body.max_output_tokens;
  if (Array.isArray(body.tools)) chat.tools = body.tools.map(chatTool);
  if (body.tool_choice !== undefined) chat.tool_choice = chatToolChoice(body.tool_choice);
  if (isObject(body.reasoning) && body.reasoning.effort !== undefined) chat.reasoning_effort = body.reasoning.effort;
  if (isObject(body.text) && body.text.verbosity !== undefined) chat.verbosity = body.text.verbosity;
  const format = responseFormat(body.text);
  if (format !== undefined) chat.response_format = format;
  return { chat, dropped };
}
