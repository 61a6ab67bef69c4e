import { anthropic, type Dialect, gemini, openai, type Operation } from '#libs/dialects/index.js';
import type { Recording } from './recording.js';
import { recordings } from './recordings.js';

/** How each recording that reports usage was asked for. */
const ASKED: readonly (readonly [keyof typeof recordings, Dialect, Operation])[] = [
  ['chat', openai, 'chat'],
  ['chatTools', openai, 'chat'],
  ['chatStream', openai, 'chat'],
  ['chatStreamUsageOnChoice', openai, 'chat'],
  ['chatStreamAzure', openai, 'chat'],
  ['chatStreamTools', openai, 'chat'],
  ['chatStreamWithoutUsage', openai, 'chat'],
  ['responses', openai, 'responses'],
  ['responsesStream', openai, 'responses'],
  ['embeddings', openai, 'embeddings'],
  ['completion', openai, 'completions'],
  ['messages', anthropic, 'messages'],
  ['messagesStream', anthropic, 'messages'],
  ['messagesStreamSparseUsage', anthropic, 'messages'],
  ['generate', gemini, 'generate'],
  ['generateStream', gemini, 'stream_generate'],
  ['generateArray', gemini, 'stream_generate'],
];

describe('recordings and the usage readers of the product agree', () => {
  it.each(ASKED)('LLM-8: %s', (name, dialect, operation) => {
    const recording: Recording = recordings[name];
    const body = Buffer.from(recording.frames.join(''));
    const isStream = recording.frames.length > 1;
    const head = Buffer.from(recording.frames[0] ?? '');
    const found = isStream
      ? dialect.usageOfStream(operation, { head, tail: body })
      : dialect.usageOfBody(operation, body);
    const { raw: _raw, ...counts } = found ?? { raw: '' };
    expect(found === null ? null : counts).toEqual(recording.usage);
  });
});
