import type { Operation } from '#libs/dialects/index.js';
import { ContentBytes } from './content-bytes.js';
import { OutgrowthWatch } from './outgrowth.js';

const text = (bytes: number): Buffer =>
  Buffer.from(`data: {"choices":[{"delta":{"content":"${'a'.repeat(bytes)}"}}]}\n\n`);
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const CASES: readonly (readonly [Operation, string, number])[] = [
  ['chat', 'data: {"choices":[{"delta":{"role":"assistant","content":"abc"}}]}\n\n', 3],
  ['chat', 'data: {"choices":[{"index":1,"delta":{"content": "für"}}]}\r\n\r\n', 4],
  ['chat', 'data: {"choices":[{"delta":{"content":"\\u00e4\\n\\"\\\\"}}]}\n\n', 6],
  ['chat', 'data: {"choices":[{"delta":{"reasoning":"abcd","reasoning_content":"abcd"}}]}\n\n', 4],
  ['chat', 'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\":1}"}}]}}]}\n\n', 7],
  ['chat', 'data: {"choices":[{"delta":{},"logprobs":{"content":[{"token":"x"}]}}],"id":"content"}\n\n', 0],
  ['chat', ': keep-alive "content":"\n\ndata: [DONE]\n\n', 0],
  ['completions', 'data: {"choices":[{"text":"abcde"},{"text":"f"}]}\n\n', 6],
  ['responses', 'data: {"type":"response.output_text.delta","delta":"abc"}\n\n', 3],
  ['responses', 'data: {"type":"response.output_text.done","text":"abc"}\n\n', 0],
  ['messages', 'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n', 2],
  ['messages', 'data: {"delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}\n\n', 4],
  ['messages', 'event: ping\ndata: {"type":"ping"}\n\n', 0],
  ['stream_generate', '[{"candidates":[{"content":{"parts":[{"text": "abc"}],"role":"model"}}]}\n,\n', 3],
  ['stream_generate', '[{"functionCall":{"name":"f","args":{"a":{"text":"}"},"b":[1]}}}]', 26],
];

describe('ContentBytes', () => {
  it.each(CASES)('KEY-4: %s %j has %i bytes of content, wherever it is cut', (operation, stream, count) => {
    const bytes = Buffer.from(stream);
    const whole = new ContentBytes(operation);
    whole.push(bytes);
    expect(whole.bytes).toBe(count);
    const cut = new ContentBytes(operation);
    for (const byte of bytes) cut.push(Buffer.of(byte));
    expect(cut.bytes).toBe(count);
  });
});

describe('OutgrowthWatch', () => {
  function watched(tokens: number, answers: readonly (boolean | Error)[]) {
    const asked: number[] = [];
    let refused = 0;
    const left = [...answers];
    const watch = new OutgrowthWatch(
      { operation: 'chat', tokens, againNanos: 77 },
      async (nanos) => {
        asked.push(nanos);
        const answer = left.shift() ?? false;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      () => void (refused += 1),
    );
    return { watch, asked, refused: () => refused };
  }

  it('KEY-4: few large pieces count by their bytes, and more is set aside before the tokens paid for are used up', async () => {
    const { watch, asked, refused } = watched(1000, [true, false]);
    watch.push(text(3_200));
    expect(asked).toEqual([]);
    watch.push(text(100)); // 3,300 bytes may be 1,000 tokens soon
    watch.push(text(1));
    expect(asked).toEqual([77]); // once at a time
    await settled();
    watch.push(text(2_900));
    expect(asked).toEqual([77]);
    watch.push(text(200));
    await settled();
    expect([asked, refused()]).toEqual([[77, 77], 0]);
  });

  it('KEY-4: without more money an answer within its maximum goes on, one that is longer than its tokens can be ends', async () => {
    const { watch, asked, refused } = watched(1000, [false]);
    watch.push(text(5_000)); // five bytes a token: ordinary prose
    await settled();
    watch.push(text(3_000));
    expect([asked.length, refused()]).toEqual([1, 0]);
    watch.push(text(300));
    expect([asked.length, refused()]).toEqual([1, 1]);
  });

  it('KEY-4: what came while the question was open is seen when it is answered', async () => {
    const { watch, refused } = watched(1000, [false]);
    watch.push(text(4_000));
    watch.push(text(10_000));
    expect(refused()).toBe(0);
    await settled();
    expect(refused()).toBe(1);
  });

  it('KEY-4: a question that fails counts as refused', async () => {
    const { watch, refused } = watched(0, [new Error('gone')]);
    watch.push(text(300));
    await settled();
    expect(refused()).toBe(1);
  });
});
