import { anthropicFault, countTokens, messages } from './anthropic.js';
import type { DemoCall, DemoHandler, DemoReply, FaultShape } from './call.js';
import { DemoFault } from './fault.js';
import { GEMINI_ACTIONS, geminiFault } from './gemini.js';
import { listModels } from './models.js';
import { chatCompletions } from './openai-chat.js';
import { completions } from './openai-completions.js';
import { embeddings } from './openai-embeddings.js';
import { openaiFault } from './openai-errors.js';
import { responses } from './openai-responses.js';

const POSTS: Readonly<Record<string, DemoHandler>> = {
  '/v1/chat/completions': chatCompletions,
  '/v1/responses': responses,
  '/v1/completions': completions,
  '/v1/embeddings': embeddings,
  '/v1/messages': messages,
  '/v1/messages/count_tokens': countTokens,
};

/** The shape in which a path's errors are written. */
export function faultShapeOf(path: string, isAnthropic: boolean): FaultShape {
  if (path.startsWith('/v1beta/') || /^\/v1\/models\/[^/]+:[A-Za-z]+$/.test(path)) return geminiFault;
  return isAnthropic || path.startsWith('/v1/messages') ? anthropicFault : openaiFault;
}

/** Finds and runs the operation. @throws DemoFault 404, 405, and what the operation refuses */
export function answerCall(method: string, call: DemoCall): DemoReply {
  const post = Object.hasOwn(POSTS, call.path) ? POSTS[call.path] : undefined;
  if (post !== undefined) {
    onlyMethod('POST', method, call.path);
    return post(call);
  }
  const [, version, rest] = /^\/(v1|v1beta)\/models(?:\/(.+))?$/.exec(call.path) ?? [];
  if (version === undefined) throw new DemoFault(404, `Invalid URL (${method} ${call.path.slice(0, 128)})`);
  const [, model, action = ''] = /^(.+):([A-Za-z]+)$/.exec(rest ?? '') ?? [];
  if (model !== undefined && Object.hasOwn(GEMINI_ACTIONS, action)) {
    onlyMethod('POST', method, call.path);
    return (GEMINI_ACTIONS[action] as (typeof GEMINI_ACTIONS)[string])(call, decoded(model));
  }
  onlyMethod('GET', method, call.path);
  const dialect =
    version === 'v1beta' ? 'gemini' : call.headers['anthropic-version'] === undefined ? 'openai' : 'anthropic';
  return listModels(dialect, rest === undefined ? null : decoded(rest));
}

function onlyMethod(allowed: string, method: string, path: string): void {
  if (method !== allowed)
    throw new DemoFault(405, `Not allowed to ${method} on ${path.slice(0, 128)}`, { code: 'method_not_supported' });
}

function decoded(model: string): string {
  try {
    return decodeURIComponent(model);
  } catch {
    throw new DemoFault(400, 'The path is malformed.');
  }
}
