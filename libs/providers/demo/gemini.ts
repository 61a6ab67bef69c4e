import { type DemoAnswer, decideAnswer } from './answer.js';
import { type DemoAsk, type DemoTool, InputMeter, tokensOf, TOKENS_PER_IMAGE } from './ask.js';
import { behaviourAt, content, type DemoCall, type DemoReply, type FaultShape, type Frame, frame } from './call.js';
import { embed, MAX_DIMENSIONS } from './embedding.js';
import { DemoFault } from './fault.js';
import { type Fields, fieldsIn, fieldsOf, fullListAt, integerAt, listAt, textAt, textsAt } from './fields.js';

const MAX_CANDIDATES = 8;
const MAX_EMBEDDINGS = 100;

/** An operation on a model in the path: `/v1beta/models/{model}:{action}`. */
export type GeminiAction = (call: DemoCall, model: string) => DemoReply;

export const GEMINI_ACTIONS: Readonly<Record<string, GeminiAction>> = {
  generateContent: (call, model) => {
    const { behaviour } = modelAt(model);
    const ask = readAsk(call.body, behaviour);
    return { kind: 'json', behaviour, body: wholeAnswer(ask, decideAnswer(ask), model, call.digest) };
  },
  streamGenerateContent: (call, model) => {
    const { behaviour } = modelAt(model);
    const ask = readAsk(call.body, behaviour);
    const chunks = chunksOf(ask, decideAnswer(ask), model, call.digest);
    if (call.query.get('alt') === 'sse')
      return { kind: 'stream', behaviour, contentType: 'text/event-stream', frames: asEvents(chunks) };
    return { kind: 'stream', behaviour, contentType: 'application/json; charset=UTF-8', frames: asArray(chunks) };
  },
  countTokens: (call, model) => {
    const { behaviour } = modelAt(model);
    const request = call.body['generateContentRequest'];
    const ask = readAsk(request == null ? call.body : fieldsIn(request, 'generateContentRequest'), behaviour);
    return { kind: 'json', behaviour, body: { totalTokens: ask.inputTokens, promptTokensDetails: ask.inputDetails } };
  },
  embedContent: (call, model) => {
    const { behaviour } = modelAt(model);
    return { kind: 'json', behaviour, body: { embedding: readEmbedding(call.body, 'content') } };
  },
  batchEmbedContents: (call, model) => {
    const { behaviour } = modelAt(model);
    const requests = fullListAt(call.body, 'requests');
    if (requests.length > MAX_EMBEDDINGS)
      throw new DemoFault(
        400,
        `* BatchEmbedContentsRequest.requests: at most ${MAX_EMBEDDINGS} requests can be in one batch`,
      );
    return {
      kind: 'json',
      behaviour,
      body: {
        embeddings: requests.map((one, i) => readEmbedding(fieldsIn(one, `requests[${i}]`), `requests[${i}].content`)),
      },
    };
  },
};

function modelAt(model: string): ReturnType<typeof behaviourAt> {
  try {
    return behaviourAt(model);
  } catch (error) {
    if (!(error instanceof DemoFault) || error.status !== 404) throw error;
    throw new DemoFault(
      404,
      `models/${model.slice(0, 128)} is not found for API version v1beta, or is not supported for this method.`,
    );
  }
}

/** Proto JSON: every field may be written in either case. */
function either(fields: Fields, camel: string): unknown {
  return fields[camel] ?? fields[camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}

/** With the input by kind of medium, which Gemini reports. */
interface GeminiAsk extends DemoAsk {
  readonly inputDetails: readonly object[];
}

function readAsk(body: Fields, behaviour: DemoAsk['behaviour']): GeminiAsk {
  const meter = new InputMeter();
  const system = either(body, 'systemInstruction');
  if (system != null) readParts(fieldsIn(system, 'systemInstruction'), 'systemInstruction', meter);
  const turns = fullListAt(body, 'contents').map((value, i) => {
    const turn = fieldsIn(value, `contents[${i}]`);
    return { role: turn['role'] ?? 'user', ...readParts(turn, `contents[${i}]`, meter) };
  });
  const tools = readTools(body, meter);
  const config = fieldsOf(either(body, 'generationConfig'));
  const calling = fieldsOf(either(fieldsOf(either(body, 'toolConfig')), 'functionCallingConfig'));
  const [allowed] = textsAt(calling, 'allowedFunctionNames');
  const schema = either(config, 'responseJsonSchema') ?? either(config, 'responseSchema');
  const isJson = either(config, 'responseMimeType') === 'application/json';
  return {
    behaviour,
    userText: turns.findLast(({ role, text }) => role === 'user' && text !== '')?.text ?? '',
    toolResults: turns.at(-1)?.toolResults ?? [],
    tools,
    toolChoice: calling['mode'] === 'NONE' ? 'none' : allowed === undefined ? 'auto' : { name: allowed },
    parallelTools: false,
    format: isJson ? (schema == null ? 'json' : { schema }) : 'text',
    maxTokens: integerAt({ maxOutputTokens: either(config, 'maxOutputTokens') }, 'maxOutputTokens', 1, 10_000_000),
    stops: textsAt({ stopSequences: either(config, 'stopSequences') }, 'stopSequences'),
    choices: integerAt({ candidateCount: either(config, 'candidateCount') }, 'candidateCount', 1, MAX_CANDIDATES) ?? 1,
    inputTokens: meter.tokens,
    inputDetails: details(meter),
  };
}

function readParts(holder: Fields, path: string, meter: InputMeter): { text: string; toolResults: string[] } {
  const texts: string[] = [];
  const toolResults: string[] = [];
  for (const [i, value] of listAt(holder, 'parts').entries()) {
    const part = fieldsIn(value, `${path}.parts[${i}]`);
    const result = either(part, 'functionResponse');
    if (part['text'] !== undefined) {
      const text = textAt(part, 'text', `${path}.parts[${i}].text`);
      meter.addText(text);
      texts.push(text);
    } else if (either(part, 'inlineData') !== undefined || either(part, 'fileData') !== undefined) meter.addImage();
    else meter.addJson(part);
    if (result !== undefined) toolResults.push(JSON.stringify(fieldsOf(result)['response'] ?? null));
  }
  return { text: texts.join('\n'), toolResults };
}

function readTools(body: Fields, meter: InputMeter): DemoTool[] {
  return listAt(body, 'tools').flatMap((value, i) => {
    const tool = fieldsIn(value, `tools[${i}]`);
    meter.addJson(tool);
    const declared = either(tool, 'functionDeclarations') ?? [];
    return listAt({ functionDeclarations: declared }, 'functionDeclarations').map((one, k) => {
      const path = `tools[${i}].functionDeclarations[${k}]`;
      const fields = fieldsIn(one, path);
      return {
        name: textAt(fields, 'name', `${path}.name`),
        schema: either(fields, 'parametersJsonSchema') ?? fields['parameters'],
      };
    });
  });
}

function readEmbedding(request: Fields, path: string): { values: number[] } {
  const { text } = readParts(fieldsIn(request['content'], path), path, new InputMeter());
  const size = integerAt(
    { outputDimensionality: either(request, 'outputDimensionality') },
    'outputDimensionality',
    1,
    MAX_DIMENSIONS,
  );
  return { values: [...embed(text, size ?? undefined)] };
}

function details(meter: InputMeter): object[] {
  const imageTokens = meter.images * TOKENS_PER_IMAGE;
  const text = { modality: 'TEXT', tokenCount: meter.tokens - imageTokens };
  return imageTokens === 0 ? [text] : [text, { modality: 'IMAGE', tokenCount: imageTokens }];
}

function finishReason(answer: DemoAnswer): string {
  return answer.finish === 'length' ? 'MAX_TOKENS' : 'STOP';
}

function callParts(answer: DemoAnswer): object[] {
  return answer.toolCalls.map(({ name, argumentsJson }) => ({
    functionCall: { name, args: JSON.parse(argumentsJson) as unknown },
  }));
}

function usage(ask: GeminiAsk, candidatesTokenCount: number): object {
  return {
    promptTokenCount: ask.inputTokens,
    candidatesTokenCount,
    totalTokenCount: ask.inputTokens + candidatesTokenCount,
    promptTokensDetails: ask.inputDetails,
  };
}

function wholeAnswer(ask: GeminiAsk, answer: DemoAnswer, model: string, digest: string): object {
  const parts = answer.toolCalls.length > 0 ? callParts(answer) : [{ text: answer.text }];
  const candidates = Array.from({ length: ask.choices }, (_, index) => ({
    content: { parts, role: 'model' },
    finishReason: finishReason(answer),
    index,
  }));
  return {
    candidates,
    usageMetadata: usage(ask, answer.outputTokens * ask.choices),
    modelVersion: model,
    responseId: digest.slice(0, 22),
  };
}

/** The answer in pieces; every one carries the usage so far. */
function* chunksOf(
  ask: GeminiAsk,
  answer: DemoAnswer,
  model: string,
  digest: string,
): Generator<{ readonly value: object; readonly isContent: boolean }> {
  const parts: object[] = answer.toolCalls.length > 0 ? callParts(answer) : answer.pieces.map((text) => ({ text }));
  let chars = 0;
  for (let index = 0; index < ask.choices; index++) {
    for (const [i, part] of parts.entries()) {
      chars += answer.pieces[i]?.length ?? 0;
      const isLast = i === parts.length - 1;
      const tokens = isLast ? answer.outputTokens * (index + 1) : tokensOf(chars);
      const candidate = {
        content: { parts: [part], role: 'model' },
        ...(isLast && { finishReason: finishReason(answer) }),
        index,
      };
      yield {
        value: {
          candidates: [candidate],
          usageMetadata: usage(ask, tokens),
          modelVersion: model,
          responseId: digest.slice(0, 22),
        },
        isContent: !isLast,
      };
    }
    if (parts.length === 0)
      yield { value: wholeAnswer({ ...ask, choices: 1 }, answer, model, digest), isContent: false };
  }
}

function* asEvents(chunks: Iterable<{ readonly value: object; readonly isContent: boolean }>): Generator<Frame> {
  for (const { value, isContent } of chunks)
    yield (isContent ? content : frame)(`data: ${JSON.stringify(value)}\r\n\r\n`);
}

/** Without `alt=sse` the chunks are the elements of one JSON array. */
function* asArray(chunks: Iterable<{ readonly value: object; readonly isContent: boolean }>): Generator<Frame> {
  let separator = '[';
  for (const { value, isContent } of chunks) {
    yield (isContent ? content : frame)(`${separator}${JSON.stringify(value, null, 2)}`);
    separator = '\n,\r\n';
  }
  yield frame('\n]');
}

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** `{"error":{code,message,status}}` */
export const geminiFault: FaultShape = ({ status, message }) => ({
  body: {
    error: {
      code: status,
      message,
      status: STATUSES[status] ?? (status < 500 ? 'FAILED_PRECONDITION' : 'UNAVAILABLE'),
    },
  },
  headers: {},
});
