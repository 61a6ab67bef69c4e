import { charsOf, type DemoAsk, type DemoTool, tokensOf } from './ask.js';
import { PLAIN_PIECE_CHARS } from './behaviour.js';
import { instanceOf } from './schema-instance.js';

export interface DemoToolCall {
  readonly name: string;
  /** JSON text. */
  readonly argumentsJson: string;
}

/** Why an answer ended; each dialect has its own words for these. */
export type Finish = 'end' | 'length' | 'stop' | 'tool';

/** What is answered, in no dialect. */
export interface DemoAnswer {
  /** The text in the pieces in which a stream delivers it. */
  readonly pieces: readonly string[];
  readonly text: string;
  readonly toolCalls: readonly DemoToolCall[];
  readonly finish: Finish;
  /** The stop sequence that was met. */
  readonly stopSequence: string | null;
  readonly outputTokens: number;
}

/** What the demo models can put out at most, all choices together. */
export const MAX_OUTPUT_TOKENS = 128_000;
const PARALLEL_CALLS = 2;
const MAX_RESULT_CHARS = 2000;
const SENTENCES = [
  'The gateway took the call and looked at the key. ',
  'It found the model, counted the money and opened the door. ',
  'Word by word the answer came back, and nothing was lost. ',
  'Far away a clock ticked, and the ledger wrote one more line. ',
];

/**
 * Decides what to answer: the same for every choice. Deterministic: the same call always gets the same answer.
 * A tool call that does not fit into the allowed tokens is left out, and the answer ends by length.
 */
export function decideAnswer(ask: DemoAsk): DemoAnswer {
  const calls = toolCallsOf(ask);
  if (calls.length > 0) {
    const outputTokens = tokensOf(
      calls.reduce((chars, { name, argumentsJson }) => chars + name.length + argumentsJson.length, 0),
    );
    if (ask.maxTokens !== null && outputTokens > ask.maxTokens)
      return textAnswer('', 'length', null, PLAIN_PIECE_CHARS);
    return { pieces: [], text: '', toolCalls: calls, finish: 'tool', stopSequence: null, outputTokens };
  }
  return limited(textOf(ask), ask);
}

function toolCallsOf(ask: DemoAsk): DemoToolCall[] {
  if (ask.behaviour.answer !== 'tool' || ask.toolResults.length > 0 || ask.toolChoice === 'none') return [];
  const wanted = typeof ask.toolChoice === 'object' ? ask.toolChoice.name : null;
  const tools = wanted === null ? ask.tools : ask.tools.filter(({ name }) => name === wanted);
  const call = ({ name, schema }: DemoTool): DemoToolCall => ({
    name,
    argumentsJson: JSON.stringify(objectOf(instanceOf(schema))),
  });
  const [first] = tools;
  if (first === undefined) return [];
  if (!ask.behaviour.parallelTools && !ask.parallelTools) return [call(first)];
  return (tools.length === 1 ? [first, first] : tools.slice(0, PARALLEL_CALLS)).map(call);
}

function objectOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(ask: DemoAsk): string {
  if (typeof ask.format === 'object') return JSON.stringify(instanceOf(ask.format.schema));
  const text = plainTextOf(ask);
  return ask.format === 'json' ? JSON.stringify({ answer: text }) : text;
}

function plainTextOf(ask: DemoAsk): string {
  switch (ask.behaviour.answer) {
    case 'story':
      return storyText(ask.behaviour.storyChunks);
    case 'tool':
      if (ask.toolResults.length === 0) return 'No tool to ask for was declared.';
      return `The tool answered: ${ask.toolResults.join(' | ').slice(0, MAX_RESULT_CHARS)}`;
    case 'echo':
      return ask.userText === '' ? 'Hello from the demo provider.' : ask.userText;
  }
}

function storyText(chunks: number): string {
  const sentences = SENTENCES.join('');
  const chars = chunks * PLAIN_PIECE_CHARS;
  return sentences.repeat(Math.ceil(chars / sentences.length)).slice(0, chars);
}

/** Ends the text at the first stop sequence, then at the allowed number of tokens. */
function limited(whole: string, ask: DemoAsk): DemoAnswer {
  let text = whole;
  let met: string | null = null;
  for (const stop of ask.stops) {
    const at = stop === '' ? -1 : text.indexOf(stop);
    if (at < 0) continue;
    text = text.slice(0, at);
    met = stop;
  }
  const ownLimit = Math.floor(MAX_OUTPUT_TOKENS / ask.choices);
  const maxChars = charsOf(Math.min(ownLimit, ask.maxTokens ?? ownLimit));
  const { pieceChars } = ask.behaviour;
  if (text.length > maxChars) return textAnswer(wholeChars(text, maxChars), 'length', null, pieceChars);
  return textAnswer(text, met === null ? 'end' : 'stop', met, pieceChars);
}

function textAnswer(text: string, finish: Finish, stopSequence: string | null, pieceChars: number): DemoAnswer {
  return {
    pieces: piecesOf(text, pieceChars),
    text,
    toolCalls: [],
    finish,
    stopSequence,
    outputTokens: tokensOf(text.length),
  };
}

/** The first `chars` UTF-16 units of a text, one less where that would cut a character in two. */
function wholeChars(text: string, chars: number): string {
  const last = text.charCodeAt(chars - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? chars - 1 : chars);
}

/** Cuts a text into pieces of `size` UTF-16 units (at least 2), never inside a character. */
export function piecesOf(text: string, size: number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const piece = wholeChars(text.slice(at, at + size), size);
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}
