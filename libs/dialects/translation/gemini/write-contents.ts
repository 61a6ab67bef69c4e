import { refuse, type Dropped } from '../fields.js';
import { argsObject, parseArgs } from '../arguments.js';
import { foreignId, typeOfUrl } from '../media.js';
import type { GeminiProfile } from '../model-profile.js';
import type { AssistantPart, Json, MediaPart, ResultPart, TextPart, Turn, UserPart } from '../request-model.js';

/** Google's documented stand-in for a call whose signature is unknown because another model made it. */
const UNSIGNED = 'skip_thought_signature_validator';

/** The turns as `contents`. @throws AppError `invalid_request` for what they cannot carry */
export function writeContents(turns: readonly Turn[], profile: GeminiProfile, dropped: Dropped): Json[] {
  const names = new Map<string, string>();
  const contents: Json[] = [];
  for (const turn of turns) {
    if (turn.role === 'system') continue;
    if (turn.role === 'user') appendUser(contents, turn.parts, names, profile, dropped);
    else {
      addCalls(names, turn.parts);
      append(contents, 'model', new ModelParts(profile, dropped).write(turn.parts));
    }
  }
  if (contents.length === 0) throw refuse('messages', 'There must be at least one user or assistant message.');
  return contents;
}

/** Neighbours of one role are joined, but results stay apart from what is said after them. */
function append(contents: Json[], role: string, parts: Json[]): void {
  if (parts.length === 0) return;
  const last = contents.at(-1) as { role: string; parts: Json[] } | undefined;
  const areResults = parts[0]?.functionResponse !== undefined;
  if (last?.role === role && (last.parts[0]?.functionResponse !== undefined) === areResults) last.parts.push(...parts);
  else contents.push({ role, parts });
}

/** A result here names its function; in other dialects only the call does. An id that comes again is the later call's. */
function addCalls(names: Map<string, string>, parts: readonly AssistantPart[]): void {
  for (const part of parts) {
    if (part.kind !== 'call') continue;
    names.delete(part.id);
    names.set(part.id, part.name);
  }
}

/** Where ids are not sent, a result answers the call in its place. */
function inOrderOfCalls(results: ResultPart[], names: ReadonlyMap<string, string>): ResultPart[] {
  if (results.length < 2) return results;
  const ids = [...names.keys()];
  return results.toSorted((a, b) => ids.indexOf(a.callId) - ids.indexOf(b.callId));
}

function appendUser(
  contents: Json[],
  parts: readonly UserPart[],
  names: ReadonlyMap<string, string>,
  profile: GeminiProfile,
  dropped: Dropped,
): void {
  const results: ResultPart[] = [];
  const rest: Json[] = [];
  for (const part of parts) {
    if (part.cache !== null) dropped.add('cache_control');
    if (part.kind !== 'result') {
      rest.push(writePart(part));
      continue;
    }
    results.push(part);
    const pictures = part.parts.filter((inner) => inner.kind !== 'text');
    if (pictures.length > 0) rest.push({ text: `[attachments of ${part.callId}]` }, ...pictures.map(writePart));
  }
  const ordered = profile.checksSignatures ? results : inOrderOfCalls(results, names);
  append(
    contents,
    'user',
    ordered.map((part) => writeResult(part, names, profile)),
  );
  append(contents, 'user', rest);
}

function writeResult(part: ResultPart, names: ReadonlyMap<string, string>, profile: GeminiProfile): Json {
  const name = part.name ?? names.get(part.callId);
  if (name === undefined) throw refuse(part.at, `"${part.at}" answers a call that is not in the conversation.`);
  const said = part.parts
    .filter((inner): inner is TextPart => inner.kind === 'text')
    .map((inner) => inner.text)
    .join('\n');
  const object = said.startsWith('{') && !part.isError ? parseArgs(said) : null;
  const response = object ?? { [part.isError ? 'error' : 'output']: said };
  return { functionResponse: { ...(profile.checksSignatures ? { id: part.callId } : {}), name, response } };
}

function writePart(part: TextPart | MediaPart): Json {
  if (part.kind === 'text') return { text: part.text };
  const { source } = part;
  if (source.kind === 'id') throw foreignId(part.at);
  if (source.kind === 'data') return { inlineData: { mimeType: source.mediaType, data: source.data } };
  const mimeType = source.mediaType ?? typeOfUrl(source.url);
  return { fileData: { fileUri: source.url, ...(mimeType === null ? {} : { mimeType }) } };
}

/** One turn of the model. A signature stands on the part after the thinking it belongs to. */
class ModelParts {
  private readonly out: Json[] = [];
  private signature: string | null = null;
  private calls = 0;

  constructor(
    private readonly profile: GeminiProfile,
    private readonly dropped: Dropped,
  ) {}

  write(parts: readonly AssistantPart[]): Json[] {
    for (const part of parts) this.add(part);
    if (this.signature !== null) this.out.push({ text: '', thoughtSignature: this.signature });
    return this.out;
  }

  private add(part: AssistantPart): void {
    switch (part.kind) {
      case 'text':
        if (part.cache !== null) this.dropped.add('cache_control');
        if (part.text !== '') this.out.push({ text: part.text, ...this.signed() });
        return;
      case 'refusal':
        if (part.text !== '') this.out.push({ text: part.text });
        return;
      case 'thinking':
        // The text of a thought is never sent back, its signature is.
        if (part.signature?.by === 'gemini') this.signature = part.signature.value;
        else this.dropped.add(part.at);
        return;
      case 'call': {
        const own = part.signature?.by === 'gemini' ? part.signature.value : null;
        if (own !== null) this.signature = own;
        // Only the first of parallel calls carries one.
        else if (this.signature === null && this.calls === 0 && this.profile.checksSignatures)
          this.signature = UNSIGNED;
        this.calls++;
        const id = this.profile.checksSignatures ? { id: part.id } : {};
        this.out.push({ functionCall: { ...id, name: part.name, args: argsObject(part) }, ...this.signed() });
      }
    }
  }

  private signed(): Json {
    if (this.signature === null) return {};
    const thoughtSignature = this.signature;
    this.signature = null;
    return { thoughtSignature };
  }
}
