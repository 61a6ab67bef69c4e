import { recordings } from '#test/fakes/upstream/recordings.js';
import { anthropic } from './anthropic/anthropic.js';
import type { Dialect, Operation } from './dialect.js';
import { gemini } from './gemini/gemini.js';
import { openai } from './openai/openai.js';

const CASES: readonly (readonly [keyof typeof recordings, Dialect, Operation])[] = [
  ['chat', openai, 'chat'],
  ['chatTools', openai, 'chat'],
  ['chatStream', openai, 'chat'],
  ['chatStreamWithoutUsage', openai, 'chat'],
  ['chatStreamUsageOnChoice', openai, 'chat'],
  ['chatStreamAzure', openai, 'chat'],
  ['chatStreamTools', openai, 'chat'],
  ['chatStreamError', openai, 'chat'],
  ['responses', openai, 'responses'],
  ['responsesStream', openai, 'responses'],
  ['responsesStreamFailed', openai, 'responses'],
  ['embeddings', openai, 'embeddings'],
  ['completion', openai, 'completions'],
  ['messages', anthropic, 'messages'],
  ['messagesStream', anthropic, 'messages'],
  ['messagesStreamSparseUsage', anthropic, 'messages'],
  ['messagesStreamError', anthropic, 'messages'],
  ['countTokens', anthropic, 'count_tokens'],
  ['generate', gemini, 'generate'],
  ['generateTools', gemini, 'generate'],
  ['generateStream', gemini, 'stream_generate'],
  ['generateArray', gemini, 'stream_generate'],
  ['geminiCountTokens', gemini, 'gemini_count_tokens'],
];

describe('what providers really send', () => {
  it.each(CASES)('KEY-5: usage of the recording %s is read in full', (name, dialect, operation) => {
    const { frames, usage, contentType } = recordings[name];
    const isEvents = contentType.startsWith('text/event-stream');
    const isStream = isEvents || operation === 'stream_generate';
    const whole = Buffer.from(frames.join(''));
    // As the relay keeps them: the first block, which may be the whole of a short stream, and the last 8 KiB.
    const tail = whole.subarray(-8192);
    const read = isStream
      ? dialect.usageOfStream(operation, { head: Buffer.from(frames[0] ?? ''), tail })
      : dialect.usageOfBody(operation, whole);
    if (isStream) expect(dialect.usageOfStream(operation, { head: whole.subarray(0, 4096), tail })).toEqual(read);
    const ending = isEvents ? dialect.endingOf(operation, whole.subarray(-8192)) : 'done';
    expect(ending).toBe(/Error|Failed/.test(name) ? 'failed' : 'done');
    if (ending === 'failed') return; // what was seen until then is kept, but marked as partial
    if (usage === null) expect(read).toBeNull();
    else expect(read).toEqual({ ...usage, raw: expect.any(String) as string });
  });

  it.each(CASES.filter(([name]) => recordings[name].frames.length > 2))(
    'LLM-8: the recording %s cut before its last frames is seen to be cut',
    (name, dialect, operation) => {
      const { frames } = recordings[name];
      expect(dialect.endingOf(operation, Buffer.from(frames.slice(0, 2).join('')))).toBe('cut');
    },
  );
});
