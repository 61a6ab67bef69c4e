import type { Operation } from '#libs/dialects/index.js';
import type { ProviderConfig } from '#libs/platform/config.js';
import { compileGlobs, type Matcher } from '#libs/platform/glob.js';

/** OpenAI's own models without Chat Completions, and those without Responses, by what their model pages list. */
const RESPONSES_ONLY = /codex|deep-research|^(o1|o3|gpt-5)-pro|^computer-use/;
const CHAT_ONLY = /-search-(preview|api)|^gpt-audio|-audio-preview|^o1-mini/;

/**
 * Which of OpenAI's two APIs a model has, by its name at the provider: both unless the configuration or, with OpenAI and
 * Azure, the name says otherwise. A model said to have only one is reached by translation from the other.
 */
export function openAiApis(config: ProviderConfig): (operation: Operation, model: string) => boolean {
  const isKnown = config.type === 'openai' || config.type === 'azure-openai';
  const hasOnly = (known: RegExp, patterns: readonly string[] = []): Matcher => {
    const isListed = compileGlobs(patterns);
    return (model) => isListed(model) || (isKnown && known.test(model));
  };
  const isResponsesOnly = hasOnly(RESPONSES_ONLY, config.responsesOnly);
  const isChatOnly = hasOnly(CHAT_ONLY, config.chatOnly);
  return (operation, model) => {
    if (operation === 'chat') return !isResponsesOnly(model);
    return operation !== 'responses' || isResponsesOnly(model) || !isChatOnly(model);
  };
}
