import { Fields, refuse, type Dropped } from '../fields.js';
import { text } from '../media.js';
import { boolSetting, readAllowed, readSchema, stringSetting } from '../openai-chat/read-request.js';
import { EFFORTS, readOpenAiOnly, readTemperature } from '../openai-chat/shared-fields.js';
import type { AnswerFormat, ChatRequest, Json, Reasoning, Setting, Tool, ToolChoice, Turn } from '../request-model.js';
import { readItems } from './read-items.js';

/** State that OpenAI keeps: without it the request means something else. */
const STORED: readonly string[] = ['previous_response_id', 'conversation', 'prompt'];

/** A Responses request (OpenAI API reference, "Create a model response"). @throws AppError `invalid_request` */
export function readResponsesRequest(body: Json, dropped: Dropped): ChatRequest {
  const fields = new Fields(body, '', dropped);
  for (const name of STORED)
    if (fields.has(name))
      throw refuse(name, `"${name}" refers to what OpenAI stores: send the whole conversation in "input".`);
  if (fields.bool('background') === true) throw refuse('background', 'Background responses cannot be translated.');
  const textConfig = fields.object('text');
  const streamOptions = fields.object('stream_options');
  const request: ChatRequest = {
    source: 'openai',
    model: fields.string('model'),
    isStream: fields.bool('stream') ?? false,
    // Not of this dialect, but Cursor sends its Responses bodies with chat's option.
    wantsStreamUsage: streamOptions?.bool('include_usage') ?? false,
    turns: [...readInstructions(fields), ...readInput(fields)],
    tools: readTools(fields),
    toolChoice: readToolChoice(fields),
    parallelCalls: boolSetting(fields, 'parallel_tool_calls'),
    format: textConfig === null ? null : readFormat(textConfig),
    reasoning: readReasoning(fields),
    maxTokens: fields.countSetting('max_output_tokens'),
    temperature: readTemperature(fields),
    topP: fields.numberSetting('top_p'),
    topK: null,
    frequencyPenalty: fields.numberSetting('frequency_penalty'),
    presencePenalty: fields.numberSetting('presence_penalty'),
    seed: null,
    stop: null,
    user: stringSetting(fields, 'user'),
    openAiOnly: {
      ...readOpenAiOnly(fields),
      ...(textConfig?.has('verbosity') ? { verbosity: textConfig.raw('verbosity') } : {}),
    },
  };
  streamOptions?.raw('include_obfuscation');
  streamOptions?.rest();
  fields.drop('truncation', 'disabled');
  fields.drop('max_tool_calls');
  dropIncludes(fields);
  fields.drop('client_metadata'); // Codex
  fields.rest();
  return request;
}

/** Encrypted reasoning is given out by itself; other extras have no counterpart. */
function dropIncludes(fields: Fields): void {
  for (const name of fields.strings('include') ?? [])
    if (name !== 'reasoning.encrypted_content') fields.dropped.add(`include:${name}`);
}

function readInstructions(fields: Fields): Turn[] {
  const instructions = fields.string('instructions');
  return instructions === null ? [] : [{ role: 'system', isDeveloper: false, parts: [text(instructions)] }];
}

function readInput(fields: Fields): Turn[] {
  const input = fields.raw('input');
  if (typeof input === 'string') return [{ role: 'user', parts: [text(input)] }];
  if (!Array.isArray(input)) throw refuse('input', '"input" must be a string or an array.');
  return readItems(fields.objects('input'));
}

function readReasoning(fields: Fields): Reasoning | null {
  const reasoning = fields.object('reasoning');
  if (reasoning === null) return null;
  const effort = reasoning.oneOf('effort', EFFORTS);
  const summary = reasoning.string('summary') ?? reasoning.string('generate_summary');
  reasoning.rest();
  if (effort === null && summary === null) return null;
  return { effort, budgetTokens: null, isShown: summary === null ? null : true, at: 'reasoning' };
}

function readFormat(config: Fields): Setting<AnswerFormat> | null {
  const format = config.object('format');
  config.raw('verbosity');
  config.rest();
  if (format === null) return null;
  const type = format.oneOf('type', ['text', 'json_object', 'json_schema'] as const);
  if (type === 'json_object') return { value: { kind: 'json' }, at: format.at };
  return type === 'json_schema' ? { value: readSchema(format), at: format.at } : null;
}

/** Functions and free-text tools; OpenAI's hosted tools run there only. Also takes chat's nested form, which Cursor mixes in. */
function readTools(fields: Fields): Tool[] {
  const tools: Tool[] = [];
  for (const entry of fields.objects('tools')) {
    const type = entry.requiredString('type');
    if (type !== 'function' && type !== 'custom') {
      entry.dropped.add(`tools[].${type}`);
      continue;
    }
    const tool = entry.object(type) ?? entry;
    tools.push({
      name: tool.requiredString('name'),
      description: tool.string('description'),
      schema: tool.jsonObject('parameters'),
      isStrict: tool.bool('strict'),
      custom: type === 'custom' ? { format: tool.raw('format') } : null,
      cache: null,
      at: entry.at,
    });
    tool.raw('type');
    tool.rest();
  }
  return tools;
}

function readToolChoice(fields: Fields): Setting<ToolChoice> | null {
  const value = fields.raw('tool_choice');
  if (value === undefined) return null;
  const at = 'tool_choice';
  if (value === 'auto' || value === 'none' || value === 'required')
    return { value: { mode: value, allowed: null }, at };
  const choice = Fields.of(value, at, fields.dropped);
  const type = choice.requiredString('type');
  if (type === 'allowed_tools') return { value: readAllowed(choice), at };
  if (type !== 'function' && type !== 'custom')
    throw refuse(`${at}.type`, `A tool choice of type "${type.slice(0, 40)}" cannot be sent to this model.`);
  const name = choice.string('name') ?? choice.object(type)?.requiredString('name') ?? choice.requiredString('name');
  return { value: { mode: 'required', allowed: [name] }, at };
}
