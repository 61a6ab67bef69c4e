import { data, plain, type Recording, stream } from './recording.js';

const TEXTS = ['Grüezi', ' aus der', ' Aufnahme: 你好', ' 👋.'];
const PROMPT = {
  promptTokenCount: 1300,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1300 }],
  cachedContentTokenCount: 1024,
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 1024 }],
};
/** Thoughts stand beside the candidates, tool-use prompts beside the prompt: both come on top. */
const USAGE = {
  ...PROMPT,
  candidatesTokenCount: 17,
  thoughtsTokenCount: 205,
  toolUsePromptTokenCount: 40,
  totalTokenCount: 1562,
};
const COUNTS = { inputTokens: 1340, cachedInputTokens: 1024, outputTokens: 222, reasoningTokens: 205 };
const TAIL = { modelVersion: 'gemini-3.1-pro-preview', responseId: 'kJcHab3E' };

const chunk = (part: object, usageMetadata: object, finishReason?: string): object => ({
  candidates: [{ content: { parts: [part], role: 'model' }, ...(finishReason && { finishReason }), index: 0 }],
  usageMetadata,
  ...TAIL,
});
/** Usage grows from chunk to chunk; only the last figures count. */
const chunks = TEXTS.map((text, i) =>
  i < TEXTS.length - 1
    ? chunk(
        { text },
        {
          ...PROMPT,
          candidatesTokenCount: i * 4,
          thoughtsTokenCount: 205,
          toolUsePromptTokenCount: 40,
          totalTokenCount: 1545 + i * 4,
        },
      )
    : chunk({ text }, USAGE, 'STOP'),
);
const CALL = { functionCall: { name: 'get_weather', args: { city: 'Zürich' } }, thoughtSignature: 'CiQB0e2Kb' };

export const gemini = {
  generate: plain(chunk({ text: TEXTS.join('') }, USAGE, 'STOP'), COUNTS),
  generateTools: plain(chunk(CALL, USAGE, 'STOP'), COUNTS),
  /** `alt=sse`; the API separates lines by CR LF. */
  generateStream: stream(
    chunks.map((one) => data(one, '\r\n')),
    COUNTS,
  ),
  /** Without `alt=sse`: one JSON array, an element per chunk. */
  generateArray: {
    contentType: 'application/json; charset=UTF-8',
    frames: chunks.map(
      (one, i) => `${i === 0 ? '[' : ',\r\n'}${JSON.stringify(one, null, 2)}${i === chunks.length - 1 ? '\n]' : '\n'}`,
    ),
    usage: plain(null, COUNTS).usage,
  } satisfies Recording,
  geminiCountTokens: plain({ totalTokens: 31, promptTokensDetails: [{ modality: 'TEXT', tokenCount: 31 }] }, null),
  geminiEmbed: plain({ embedding: { values: [0.0125, -0.5, 0.25] } }, null),
  geminiModels: plain(
    {
      models: [
        {
          name: 'models/gemini-3.1-pro-preview',
          version: '3.1',
          displayName: 'Gemini 3.1 Pro',
          inputTokenLimit: 1_048_576,
          outputTokenLimit: 65_536,
          supportedGenerationMethods: ['generateContent', 'countTokens'],
        },
      ],
    },
    null,
  ),
};

/** Error bodies, by status. */
export const geminiErrors = {
  400: { error: { code: 400, message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT' } },
  404: { error: { code: 404, message: 'models/gemini-9 is not found for API version v1beta.', status: 'NOT_FOUND' } },
  429: {
    error: {
      code: 429,
      message: 'You exceeded your current quota.',
      status: 'RESOURCE_EXHAUSTED',
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' }],
    },
  },
  503: { error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' } },
};
