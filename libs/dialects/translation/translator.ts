import { AppError } from '#libs/platform/errors.js';
import type { DialectName } from '../dialect.js';
import { scanObject } from '../scan.js';
import { readMessageAnswer } from './anthropic/read-answer.js';
import { readMessagesRequest } from './anthropic/read-request.js';
import { MessageStreamReader } from './anthropic/read-stream.js';
import { writeMessageAnswer } from './anthropic/write-answer.js';
import { writeMessagesRequest } from './anthropic/write-request.js';
import { MessageStreamWriter } from './anthropic/write-stream.js';
import type { Answer, Fault, ReplySink } from './answer-model.js';
import { parseAnswer } from './answers.js';
import { withCustomCalls } from './custom-calls.js';
import { parseExactly } from './exact-json.js';
import { faultOf, readFault, writeFault } from './faults.js';
import { Dropped } from './fields.js';
import { readGenerateAnswer } from './gemini/read-answer.js';
import { readGenerateRequest } from './gemini/read-request.js';
import { GenerateStreamReader } from './gemini/read-stream.js';
import { writeGenerateAnswer } from './gemini/write-answer.js';
import { writeGenerateRequest } from './gemini/write-request.js';
import { GenerateStreamWriter } from './gemini/write-stream.js';
import { readChatAnswer } from './openai-chat/read-answer.js';
import { readChatRequest } from './openai-chat/read-request.js';
import { ChatStreamReader } from './openai-chat/read-stream.js';
import { writeChatAnswer } from './openai-chat/write-answer.js';
import { writeChatRequest } from './openai-chat/write-request.js';
import { ChatStreamWriter } from './openai-chat/write-stream.js';
import { readResponseAnswer } from './openai-responses/read-answer.js';
import { readResponsesRequest } from './openai-responses/read-request.js';
import { ResponseStreamReader } from './openai-responses/read-stream.js';
import { echoOf, writeResponseAnswer } from './openai-responses/write-answer.js';
import { writeResponsesRequest } from './openai-responses/write-request.js';
import { ResponseStreamWriter } from './openai-responses/write-stream.js';
import type { ChatRequest, Json, ReplyContext } from './request-model.js';
import type { StreamReader, StreamWriter } from './stream-writer.js';
import type { Surface } from './surface.js';
import { customToolsOf, type TargetModel } from './target.js';
import { TranslatedStream } from './translated-stream.js';

/** What a wire format knows of requests and answers: four readers and writers make twelve directions. */
interface Format {
  readonly dialect: DialectName;
  /** An answer has at least one of these fields. */
  readonly answerFields: readonly string[];
  readRequest(body: Json, dropped: Dropped): ChatRequest;
  writeRequest(request: ChatRequest, target: TargetModel, dropped: Dropped): Json;
  readAnswer(body: Json): Answer | Fault;
  writeAnswer(answer: Answer, context: ReplyContext): Json;
  streamReader(sink: ReplySink): StreamReader;
  streamWriter(context: ReplyContext): StreamWriter;
}

const CHAT: Format = {
  dialect: 'openai',
  answerFields: ['choices'],
  readRequest: readChatRequest,
  writeRequest: writeChatRequest,
  readAnswer: readChatAnswer,
  writeAnswer: writeChatAnswer,
  streamReader: (sink) => new ChatStreamReader(sink),
  streamWriter: (context) => new ChatStreamWriter(context),
};
const RESPONSES: Format = {
  dialect: 'openai',
  answerFields: ['output', 'status'],
  readRequest: readResponsesRequest,
  writeRequest: writeResponsesRequest,
  readAnswer: readResponseAnswer,
  writeAnswer: writeResponseAnswer,
  streamReader: (sink) => new ResponseStreamReader(sink),
  streamWriter: (context) => new ResponseStreamWriter(context),
};
const MESSAGES: Format = {
  dialect: 'anthropic',
  answerFields: ['content'],
  readRequest: readMessagesRequest,
  writeRequest: writeMessagesRequest,
  readAnswer: readMessageAnswer,
  writeAnswer: writeMessageAnswer,
  streamReader: (sink) => new MessageStreamReader(sink),
  streamWriter: (context) => new MessageStreamWriter(context),
};
const GENERATE: Format = {
  dialect: 'gemini',
  answerFields: ['candidates', 'promptFeedback'],
  readRequest: readGenerateRequest,
  writeRequest: writeGenerateRequest,
  readAnswer: readGenerateAnswer,
  writeAnswer: writeGenerateAnswer,
  streamReader: (sink) => new GenerateStreamReader(sink),
  streamWriter: (context) => new GenerateStreamWriter(context),
};

const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['openai/chat', CHAT],
  ['openai/responses', RESPONSES],
  ['anthropic/messages', MESSAGES],
  ['gemini/generate', GENERATE],
  ['gemini/stream_generate', GENERATE],
]);

/** One translated call. */
export interface Translation {
  /** The request in the provider's dialect. For Gemini the model stands in the path, not in here. */
  readonly body: Buffer;
  /** Whether a stream was asked for (for Gemini: `streamGenerateContent?alt=sse`). */
  readonly isStream: boolean;
  /** What could not be carried over and was left out: field names for `x-smartflow-dropped`. */
  readonly dropped: readonly string[];
  /** The provider's whole answer in the caller's dialect. @throws AppError `upstream_invalid`, `upstream_failed`, `upstream_bad_output` */
  answer(body: Buffer): Buffer;
  /** The provider's error body (any content type) in the caller's dialect. Never throws. */
  error(status: number, body: Buffer): { readonly status: number; readonly body: Buffer };
  /** The provider's stream in the caller's dialect; a new object per attempt. */
  stream(): TranslatedStream;
}

export interface Translator {
  /**
   * The caller's body for `target`.
   * @throws AppError `invalid_json`, `json_too_deep`, or `invalid_request` with the field that is wrong or cannot be carried
   */
  request(body: Buffer, target: TargetModel): Translation;
}

/** `null`: the same format (bytes are relayed as they are), or one that has no counterpart. */
export function translatorFor(from: Surface, to: Surface): Translator | null {
  const [caller, provider] = [from, to].map(({ dialect, operation }) => FORMATS.get(`${dialect}/${operation}`));
  if (caller === undefined || provider === undefined || caller === provider) return null;
  return { request: (body, target) => translate(caller, provider, body, target) };
}

const NO_FIELDS: ReadonlySet<string> = new Set();

/** The scanner refuses what is nested too deeply before anything is built. */
function parseBody(body: Buffer): Json {
  scanObject(body, NO_FIELDS);
  try {
    return parseExactly(body.toString()) as Json;
  } catch {
    throw new AppError('invalid_json');
  }
}

function translate(caller: Format, provider: Format, body: Buffer, target: TargetModel): Translation {
  const dropped = new Dropped();
  const parsed = parseBody(body);
  const read = caller.readRequest(parsed, dropped);
  const request = target.isStream === undefined ? read : { ...read, isStream: target.isStream };
  const written = provider.writeRequest(request, target, dropped);
  // Usage is always wanted from the provider; whether the caller gets to see it is the writer's matter.
  if (provider === CHAT && request.isStream) written.stream_options = { include_usage: true };
  const context: ReplyContext = {
    model: target.model,
    requestId: target.requestId,
    createdAtSeconds: target.createdAtSeconds,
    wantsStreamUsage: request.wantsStreamUsage,
    customTools: provider.dialect === 'openai' ? new Set() : customToolsOf(request),
    asJsonArray: target.asJsonArray ?? false,
    echo: caller === RESPONSES ? echoOf(parsed) : {},
  };
  return {
    body: Buffer.from(JSON.stringify(written)),
    isStream: request.isStream,
    dropped: dropped.list(),
    answer: (bytes) => writeAnswer(caller, provider, context, bytes),
    error: (status, bytes) => {
      const fault = writeFault(readFault(bytes, status), status, caller.dialect);
      return { status: fault.status, body: Buffer.from(JSON.stringify(fault.body)) };
    },
    stream: () =>
      new TranslatedStream((sink) => provider.streamReader(sink), caller.streamWriter(context), context.customTools),
  };
}

/** No choice and no candidate are no answer; a message or a response without content may be one. */
function isAnswer(field: string, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return !(Array.isArray(value) && value.length === 0 && (field === 'choices' || field === 'candidates'));
}

function writeAnswer(caller: Format, provider: Format, context: ReplyContext, bytes: Buffer): Buffer {
  const body = parseAnswer(bytes.toString(), true);
  // Some servers say 200 and mean an error.
  if (!provider.answerFields.some((name) => isAnswer(name, body[name]))) {
    if (body.error === undefined || body.error === null) throw new AppError('upstream_invalid');
    throw new AppError('upstream_failed', { text: faultOf(body.error, null).message });
  }
  const read = provider.readAnswer(body);
  if (!('parts' in read)) throw new AppError('upstream_failed', { text: read.message });
  return Buffer.from(JSON.stringify(caller.writeAnswer(withCustomCalls(read, context.customTools), context)));
}

/**
 * A Responses-shaped body that was posted to a chat route (Cursor does, and wants chat chunks back) as a chat request. The
 * model is still to be resolved, so nothing is held against its name.
 * @throws AppError `invalid_request`
 */
export function responsesToChat(body: Json): { readonly chat: Json; readonly dropped: readonly string[] } {
  const dropped = new Dropped();
  const request = readResponsesRequest(body, dropped);
  const chat = writeChatRequest(request, { model: request.model ?? '', requestId: '', createdAtSeconds: 0 }, dropped);
  return { chat, dropped: dropped.list() };
}
