import { AppError } from '#libs/platform/errors.js';

/**
 * Cursor posts Responses-shaped bodies (`input`, no `messages`) to the chat path and expects chat chunks back (LLM-3).
 * The request is turned into a chat request; the answer then already has the shape the client wants.
 */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields with the same name and meaning on both sides. */
const SHARED = [
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
  'stream_options',
];

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

/** One input item as chat messages; reasoning items have no counterpart and are left out. */
function appendItem(messages: Json[], item: Json): void {
  if (item.type === 'function_call') {
    const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } };
    const last = messages.at(-1);
    // Parallel calls stand as separate items in Responses, but in one assistant message in chat.
    if (last?.role === 'assistant' && Array.isArray(last.tool_calls)) last.tool_calls.push(call);
    else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
  } else if (item.type === 'function_call_output') {
    const output = typeof item.output === 'string' ? item.output : JSON.stringify(item.output);
    messages.push({ role: 'tool', tool_call_id: item.call_id, content: output });
  } else if (typeof item.role === 'string') {
    messages.push({ role: item.role, content: content(item.content) });
  } else if (item.type !== 'reasoning') {
    throw new AppError('invalid_request', {
      text: `Input items of type "${String(item.type)}" cannot be sent to a chat route.`,
      param: 'input',
    });
  }
}

function chatTool(tool: unknown): unknown {
  if (!isObject(tool) || tool.type !== 'function' || isObject(tool.function)) return tool;
  const { type: _type, ...definition } = tool;
  return { type: 'function', function: definition };
}

function chatToolChoice(choice: unknown): unknown {
  return isObject(choice) && choice.type === 'function' && typeof choice.name === 'string'
    ? { type: 'function', function: { name: choice.name } }
    : choice;
}

function responseFormat(text: unknown): unknown {
  const format = isObject(text) ? text.format : undefined;
  if (!isObject(format) || format.type !== 'json_schema') return format;
  const { type: _type, ...schema } = format;
  return { type: 'json_schema', json_schema: schema };
}

/**
 * A Responses request as a chat request.
 * @throws AppError `invalid_request` for items that chat cannot carry
 */
export function responsesToChat(body: Json): Json {
  const messages: Json[] = [];
  if (typeof body.instructions === 'string') messages.push({ role: 'system', content: body.instructions });
  if (typeof body.input === 'string') messages.push({ role: 'user', content: body.input });
  else if (Array.isArray(body.input)) for (const item of body.input) appendItem(messages, isObject(item) ? item : {});
  else throw new AppError('invalid_request', { text: '"input" must be a string or an array.', param: 'input' });

  const chat: Json = { messages };
  for (const field of SHARED) if (body[field] !== undefined) chat[field] = body[field];
  if (body.max_output_tokens !== undefined) chat.max_completion_tokens = body.max_output_tokens;
  if (Array.isArray(body.tools)) chat.tools = body.tools.map(chatTool);
  if (body.tool_choice !== undefined) chat.tool_choice = chatToolChoice(body.tool_choice);
  if (isObject(body.reasoning) && body.reasoning.effort !== undefined) chat.reasoning_effort = body.reasoning.effort;
  const format = responseFormat(body.text);
  if (format !== undefined) chat.response_format = format;
  return chat;
}
