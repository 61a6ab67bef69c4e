import { isObject, refuse, type Dropped } from '../fields.js';
import { geminiProfile, type GeminiProfile } from '../model-profile.js';
import { budgetOf, effortOf, listLowered } from '../reasoning.js';
import { dropOpenAiOnly } from '../openai-chat/shared-fields.js';
import type { ChatRequest, Effort, Json, Tool } from '../request-model.js';
import { capped, offered, type TargetModel } from '../target.js';
import { writeContents } from './write-contents.js';

/** The request for generateContent. @throws AppError `invalid_request` for what it cannot carry */
export function writeGenerateRequest(request: ChatRequest, target: TargetModel, dropped: Dropped): Json {
  const profile = geminiProfile(target.knownAs ?? target.model);
  const system = request.turns.flatMap((turn) => (turn.role === 'system' ? turn.parts : []));
  if (system.some((part) => part.cache !== null)) dropped.add('cache_control');
  const body: Json = {
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system.map((part) => ({ text: part.text })) } }),
    contents: writeContents(request.turns, profile, dropped),
  };
  const tools = offered(request, dropped);
  if (tools.length > 0) {
    body.tools = [{ functionDeclarations: tools.map((tool) => writeTool(tool, dropped)) }];
    writeToolChoice(body, request);
  }
  const config: Json = {};
  writeSettings(config, request, target, dropped);
  writeThinking(config, request, profile, dropped);
  if (Object.keys(config).length > 0) body.generationConfig = config;
  if (request.user !== null) dropped.add(request.user.at);
  dropOpenAiOnly(request, dropped);
  return body;
}

const FREE_TEXT = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };

function writeTool(tool: Tool, dropped: Dropped): Json {
  if (tool.cache !== null) dropped.add('cache_control');
  if (tool.isStrict === true) dropped.add('tools[].strict');
  if (tool.custom?.format !== undefined) dropped.add('tools[].custom.format');
  const schema = tool.custom === null ? tool.schema : FREE_TEXT;
  // An object without properties is refused here: a function without parameters has no schema.
  const isEmpty =
    schema === null || (isObject(schema.properties ?? {}) && Object.keys(schema.properties ?? {}).length === 0);
  return {
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    ...(isEmpty ? {} : { parametersJsonSchema: schema }),
  };
}

function writeToolChoice(body: Json, request: ChatRequest): void {
  const choice = request.toolChoice?.value;
  if (choice === undefined) return;
  const mode = { auto: 'AUTO', none: 'NONE', required: 'ANY' }[choice.mode];
  const names = choice.mode === 'required' && choice.allowed !== null ? { allowedFunctionNames: choice.allowed } : {};
  body.toolConfig = { functionCallingConfig: { mode, ...names } };
}

function writeSettings(config: Json, request: ChatRequest, target: TargetModel, dropped: Dropped): void {
  const maxTokens = capped(request.maxTokens, target, dropped);
  if (maxTokens !== null) config.maxOutputTokens = maxTokens;
  for (const [name, setting] of [
    ['temperature', request.temperature],
    ['topP', request.topP],
    ['topK', request.topK],
    ['frequencyPenalty', request.frequencyPenalty],
    ['presencePenalty', request.presencePenalty],
    ['seed', request.seed],
  ] as const)
    if (setting !== null) config[name] = setting.value;
  if (request.stop !== null) {
    if (request.stop.value.length > 5)
      throw refuse(request.stop.at, `"${request.stop.at}" may hold at most 5 sequences for this model.`);
    config.stopSequences = request.stop.value;
  }
  // There is no switch for it: a model of Google's may call in parallel.
  if (request.parallelCalls?.value === false) dropped.add(request.parallelCalls.at);
  const format = request.format?.value;
  if (format === undefined) return;
  config.responseMimeType = 'application/json';
  if (format.kind === 'schema') config.responseJsonSchema = format.schema;
}

/** The most every thinking model of 2.5 takes. */
const MOST_BUDGET = 24_576;

const LEVELS: Readonly<Record<Effort, string>> = {
  none: 'MINIMAL',
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
  max: 'HIGH',
};

function writeThinking(config: Json, request: ChatRequest, profile: GeminiProfile, dropped: Dropped): void {
  const reasoning = request.reasoning;
  if (reasoning === null) return;
  const effort = effortOf(reasoning);
  if (profile.thinking === 'none') {
    if (effort !== 'none') dropped.add(reasoning.at);
    return;
  }
  const shown = effort === 'none' || reasoning.isShown === false ? {} : { includeThoughts: true };
  if (profile.thinking === 'level') {
    listLowered(reasoning, 'high', dropped);
    config.thinkingConfig = { ...(effort === null ? {} : { thinkingLevel: LEVELS[effort] }), ...shown };
    return;
  }
  const budget = budgetOf(reasoning);
  if (budget !== null && budget > MOST_BUDGET) dropped.add(`${reasoning.at}:lowered`);
  config.thinkingConfig = { ...(budget === null ? {} : { thinkingBudget: Math.min(budget, MOST_BUDGET) }), ...shown };
}
