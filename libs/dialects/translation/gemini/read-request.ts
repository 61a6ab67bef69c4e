import { Fields, refuse, type Dropped } from '../fields.js';
import { foreignId, media, sourceOfUrl, text, typeOfUrl } from '../media.js';
import { readSignature, type Signature } from '../signatures.js';
import type {
  AnswerFormat,
  AssistantPart,
  ChatRequest,
  Effort,
  Json,
  MediaPart,
  MediaSource,
  Reasoning,
  ResultPart,
  Setting,
  TextPart,
  ToolChoice,
  Turn,
  UserPart,
} from '../request-model.js';
import { schemaOfGemini } from './schema.js';
import { readTools } from './read-tools.js';

const LEVELS: Readonly<Record<string, Effort>> = { MINIMAL: 'minimal', LOW: 'low', MEDIUM: 'medium', HIGH: 'high' };

/** A generateContent request (Gemini API reference, v1beta). @throws AppError `invalid_request` */
export function readGenerateRequest(body: Json, dropped: Dropped): ChatRequest {
  const fields = new Fields(body, '', dropped, true);
  if (fields.has('cachedContent'))
    throw refuse('cachedContent', '"cachedContent" names content that Google stores: send it in "contents".');
  const config = fields.object('generationConfig') ?? new Fields({}, 'generationConfig', dropped, true);
  const count = config.number('candidateCount');
  if (count !== null && count !== 1)
    throw refuse('generationConfig.candidateCount', 'This model answers once per request.');
  const request: ChatRequest = {
    source: 'gemini',
    model: fields.string('model'),
    isStream: false,
    wantsStreamUsage: true,
    turns: [...readSystem(fields), ...new History().read(fields)],
    tools: readTools(fields),
    toolChoice: readToolChoice(fields),
    parallelCalls: null,
    format: readFormat(config),
    reasoning: readThinking(config),
    maxTokens: config.countSetting('maxOutputTokens'),
    temperature: config.numberSetting('temperature'),
    topP: config.numberSetting('topP'),
    topK: config.numberSetting('topK'),
    frequencyPenalty: config.numberSetting('frequencyPenalty'),
    presencePenalty: config.numberSetting('presencePenalty'),
    seed: config.exactSetting('seed'),
    stop: readStop(config),
    user: null,
    openAiOnly: {},
  };
  config.drop('responseLogprobs', false);
  dropModalities(config);
  config.rest();
  fields.rest();
  return request;
}

function dropModalities(config: Fields): void {
  const modalities = config.strings('responseModalities') ?? [];
  const other = modalities.find((modality) => modality.toUpperCase() !== 'TEXT');
  if (other !== undefined) throw refuse(config.place('responseModalities'), 'This model can only answer in text.');
}

function readStop(config: Fields): Setting<readonly string[]> | null {
  const stop = config.strings('stopSequences');
  return stop === null || stop.length === 0 ? null : { value: stop, at: config.place('stopSequences') };
}

function readThinking(config: Fields): Reasoning | null {
  const thinking = config.object('thinkingConfig');
  if (thinking === null) return null;
  const level = thinking.string('thinkingLevel')?.toUpperCase() ?? null;
  const budget = thinking.number('thinkingBudget');
  const reasoning: Reasoning = {
    effort: level === null ? null : (LEVELS[level] ?? null),
    // -1 leaves it to the model
    budgetTokens: budget === null || budget < 0 ? null : budget,
    isShown: thinking.bool('includeThoughts'),
    at: thinking.at,
  };
  thinking.rest();
  return reasoning;
}

function readFormat(config: Fields): Setting<AnswerFormat> | null {
  const type = config.string('responseMimeType');
  const jsonSchema = config.jsonObject('responseJsonSchema');
  const own = config.jsonObject('responseSchema');
  const schema = jsonSchema ?? (own === null ? null : schemaOfGemini(own, config.place('responseSchema')));
  if (schema !== null) {
    const at = config.place(jsonSchema === null ? 'responseSchema' : 'responseJsonSchema');
    return { value: { kind: 'schema', schema, name: null, description: null, isStrict: null }, at };
  }
  if (type === null || type === 'text/plain') return null;
  const at = config.place('responseMimeType');
  if (type !== 'application/json') throw refuse(at, `"${at}" must be text/plain or application/json for this model.`);
  return { value: { kind: 'json' }, at };
}

function readToolChoice(fields: Fields): Setting<ToolChoice> | null {
  const config = fields.object('toolConfig');
  const calling = config?.object('functionCallingConfig') ?? null;
  config?.rest();
  if (calling === null) return null;
  const mode = calling.string('mode')?.toUpperCase() ?? 'AUTO';
  const allowed = calling.strings('allowedFunctionNames');
  calling.rest();
  const known = { AUTO: 'auto', VALIDATED: 'auto', MODE_UNSPECIFIED: 'auto', ANY: 'required', NONE: 'none' } as const;
  if (!Object.hasOwn(known, mode))
    throw refuse(calling.place('mode'), `"${calling.place('mode')}" must be AUTO, ANY, NONE or VALIDATED.`);
  if (mode === 'VALIDATED') calling.dropped.add(calling.place('mode'));
  const value = {
    mode: known[mode as keyof typeof known],
    allowed: allowed === null || allowed.length === 0 ? null : allowed,
  };
  return { value, at: calling.at };
}

function readSystem(fields: Fields): Turn[] {
  const value = fields.raw('systemInstruction');
  if (typeof value === 'string') return [{ role: 'system', isDeveloper: false, parts: [text(value)] }];
  const parts = fields.object('systemInstruction')?.objects('parts') ?? [];
  if (parts.length === 0) return [];
  return [{ role: 'system', isDeveloper: false, parts: parts.map((part) => text(part.requiredString('text'))) }];
}

/** Reads the turns in order and gives ids to calls that have none: results answer them by name, first come first served. */
class History {
  private readonly open: { readonly id: string; readonly name: string }[] = [];
  private calls = 0;

  read(fields: Fields): Turn[] {
    const contents = fields.objects('contents');
    if (contents.length === 0) throw refuse('contents', '"contents" must be a non-empty array.');
    const turns = contents.map((content) => {
      const role = content.string('role') ?? 'user';
      if (role !== 'user' && role !== 'model' && role !== 'function')
        throw refuse(content.place('role'), `"${content.place('role')}" must be user or model.`);
      const parts = content.objects('parts');
      const turn: Turn =
        role === 'model'
          ? { role: 'assistant', parts: parts.flatMap((part) => this.readModelPart(part)) }
          : { role: 'user', parts: parts.flatMap((part) => this.readUserPart(part)) };
      content.rest();
      return turn;
    });
    return joined(turns);
  }

  private readUserPart(part: Fields): UserPart[] {
    part.raw('thought');
    part.drop('thoughtSignature');
    const response = part.object('functionResponse');
    const read = response === null ? readContentPart(part) : [this.readResponse(response)];
    part.rest();
    return read;
  }

  private readResponse(response: Fields): ResultPart {
    const name = response.requiredString('name');
    const content = response.jsonObject('response') ?? {};
    const given = response.string('id');
    const index = this.open.findIndex((call) => (given === null ? call.name === name : call.id === given));
    const found = index < 0 ? null : (this.open.splice(index, 1)[0] as { id: string });
    const id = found?.id ?? given;
    if (id === null) throw refuse(response.at, `"${response.at}" answers no earlier call of "${name.slice(0, 60)}".`);
    const pictures = response.objects('parts').flatMap((part) => readContentPart(part) as MediaPart[]);
    response.rest();
    return {
      kind: 'result',
      callId: id,
      name,
      parts: [text(textOfResponse(content)), ...pictures],
      isError: Object.keys(content).length === 1 && content.error !== undefined,
      cache: null,
      at: response.at,
    };
  }

  private readModelPart(part: Fields): AssistantPart[] {
    const signature = signatureOf(part);
    const isThought = part.bool('thought') ?? false;
    const call = part.object('functionCall');
    const parts: AssistantPart[] =
      call === null ? this.readSaid(part, isThought, signature) : [this.readCall(call, signature)];
    part.rest();
    return parts;
  }

  private readSaid(part: Fields, isThought: boolean, signature: Signature | null): AssistantPart[] {
    const said = part.string('text');
    if (said === null) {
      if (part.has('executableCode') || part.has('codeExecutionResult') || part.has('inlineData')) {
        part.dropped.add(`${part.at}.${part.has('inlineData') ? 'inlineData' : 'codeExecution'}`);
        return [];
      }
      throw refuse(part.at, `"${part.at}" holds nothing that can be sent to this model.`);
    }
    const thinking = { kind: 'thinking', text: isThought ? said : '', signature, at: `${part.at}.thought` } as const;
    if (isThought) return [thinking];
    return signature === null ? [text(said)] : [thinking, text(said)];
  }

  private readCall(call: Fields, signature: Signature | null): AssistantPart {
    const name = call.requiredString('name');
    const id = call.string('id') ?? `call_${++this.calls}`;
    this.open.push({ id, name });
    const args = JSON.stringify(call.jsonObject('args') ?? {});
    call.rest();
    return { kind: 'call', id, name, args, isCustom: false, signature, at: call.at };
  }
}

/** Google's SDK keeps a streamed answer as many contents of one piece each: neighbours of the model become one turn again. */
function joined(turns: readonly Turn[]): Turn[] {
  const out: Turn[] = [];
  for (const turn of turns) {
    const last = out.at(-1);
    if (turn.role !== 'assistant') out.push(turn);
    else if (last?.role !== 'assistant') out.push({ role: 'assistant', parts: joinedParts(turn.parts) });
    else out[out.length - 1] = { role: 'assistant', parts: joinedParts([...last.parts, ...turn.parts]) };
  }
  return out;
}

function joinedParts(parts: readonly AssistantPart[]): AssistantPart[] {
  const out: AssistantPart[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (part.kind === 'text' && last?.kind === 'text') out[out.length - 1] = text(last.text + part.text);
    else if (
      part.kind === 'thinking' &&
      last?.kind === 'thinking' &&
      last.signature === null &&
      part.signature?.by !== 'anthropic_redacted'
    )
      out[out.length - 1] = { ...part, text: last.text + part.text };
    else out.push(part);
  }
  return out;
}

function signatureOf(part: Fields): Signature | null {
  const signature = part.string('thoughtSignature');
  return signature === null || signature === '' ? null : readSignature(signature, 'gemini');
}

/** Google's own names for what a function gave: a lone `output` or `error` is the text itself. */
function textOfResponse(content: Json): string {
  const [key, ...more] = Object.keys(content);
  const value = key === undefined ? undefined : content[key];
  const isLone = more.length === 0 && (key === 'output' || key === 'error' || key === 'result');
  return isLone && typeof value === 'string' ? value : JSON.stringify(content);
}

function readContentPart(part: Fields): (TextPart | MediaPart)[] {
  const said = part.string('text');
  if (said !== null) return [text(said)];
  const inline = part.object('inlineData');
  const file = part.object('fileData');
  part.drop('videoMetadata');
  part.drop('mediaResolution');
  if (inline !== null) {
    const mediaType = inline.requiredString('mimeType').toLowerCase();
    const source: MediaSource = { kind: 'data', mediaType, data: inline.requiredString('data') };
    return [media(kindOf(mediaType), source, inline.at, { name: inline.string('displayName') })];
  }
  if (file !== null) {
    const uri = file.requiredString('fileUri');
    const at = file.place('fileUri');
    const mediaType = file.string('mimeType')?.toLowerCase() ?? typeOfUrl(uri);
    const isStored = !/^https?:/i.test(uri) || /\/\/generativelanguage\.googleapis\.com\//i.test(uri);
    if (isStored) throw foreignId(at);
    if (mediaType === null)
      throw refuse(
        file.place('mimeType'),
        `"${file.place('mimeType')}" is missing: this model must be told what it is.`,
      );
    const source = sourceOfUrl(uri, at, mediaType);
    return [media(kindOf(mediaType), source, at, { name: file.string('displayName') })];
  }
  throw refuse(part.at, `"${part.at}" holds nothing that can be sent to this model.`);
}

function kindOf(mediaType: string): MediaPart['kind'] {
  if (mediaType.startsWith('image/')) return 'image';
  return mediaType.startsWith('audio/') ? 'audio' : 'file';
}
