import { refuse, type Dropped } from './fields.js';
import type { ChatRequest, Setting, Tool } from './request-model.js';

/** Where a translated request goes and what the gateway knows of it. */
export interface TargetModel {
  /** The model's name as its provider knows it. */
  readonly model: string;
  /** The name its abilities are told by, where `model` is an alias (an Azure deployment). */
  readonly knownAs?: string | null;
  /** The most tokens it can answer with, when known: a higher wish is lowered to it, and it is the default where one is needed. */
  readonly maxOutputTokens?: number | null;
  /** Unique per request: stands in for ids the provider does not give. */
  readonly requestId: string;
  readonly createdAtSeconds: number;
  /** The Gemini caller did not ask for `alt=sse`: it reads a stream as a JSON array. */
  readonly asJsonArray?: boolean;
  /** The Gemini caller's action says in the path whether it streams. */
  readonly isStream?: boolean;
}

/** The wished number of tokens, lowered to what the model can do. */
export function capped(wish: Setting<number> | null, target: TargetModel, dropped: Dropped): number | null {
  const limit = target.maxOutputTokens ?? null;
  if (wish === null) return null;
  if (limit === null || wish.value <= limit) return wish.value;
  dropped.add(`${wish.at}:lowered`);
  return limit;
}

/**
 * The tools to offer: those the caller allows. Offering only these says the same as naming the allowed ones, and every
 * provider understands it.
 * @throws AppError when a tool is demanded that is not among them
 */
export function offered(request: ChatRequest, dropped: Dropped): readonly Tool[] {
  const choice = request.toolChoice;
  const allowed = choice?.value.allowed ?? null;
  if (choice === null || choice.value.mode === 'none') return request.tools;
  const known = request.tools.filter((tool) => allowed === null || allowed.includes(tool.name));
  if (choice.value.mode === 'required' && known.length === 0)
    throw refuse(choice.at, `"${choice.at}" demands a tool that cannot be offered to this model.`);
  if (allowed?.some((name) => !known.some((tool) => tool.name === name))) dropped.add(choice.at);
  // A single demanded tool is named in the choice; the others stay, for the history may speak of them.
  return onlyTool(request) === null ? known : request.tools;
}

/** The one tool that must be called, or `null`. */
export function onlyTool(request: ChatRequest): string | null {
  const choice = request.toolChoice?.value;
  return choice?.mode === 'required' && choice.allowed?.length === 1 ? (choice.allowed[0] as string) : null;
}

/** Names of the tools that take free text; other dialects know only functions. */
export function customToolsOf(request: ChatRequest): ReadonlySet<string> {
  return new Set(request.tools.filter((tool) => tool.custom !== null).map((tool) => tool.name));
}
