import { contentPieces, OutgrowthWatch } from './outgrowth.js';

const piece = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
const pieces = (count: number): Buffer => Buffer.from(piece.repeat(count));
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('contentPieces', () => {
  it.each<[string, number]>([
    [piece, 1],
    [piece.repeat(3), 3],
    [piece.replaceAll('\n', '\r\n').repeat(2), 2],
    [': keep-alive\n\n', 0],
    ['event: ping\ndata: {"type":"ping"}\n\n', 0],
    ['event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n: x\n\n', 1],
    ['data: {"candidates":[{}]}\n\n', 1],
    ['data: [DONE]\n\n', 0],
  ])('KEY-4: %j has %i', (text, count) => {
    expect(contentPieces(Buffer.from(text))).toBe(count);
  });
});

describe('OutgrowthWatch', () => {
  it('KEY-4: asks for as much again only when far more came than was paid for, once at a time', async () => {
    const asked: number[] = [];
    let refused = 0;
    const answers = [true, false];
    const watch = new OutgrowthWatch(
      { tokens: 10, againNanos: 77 },
      async (nanos) => {
        asked.push(nanos);
        return answers.shift() as boolean;
      },
      () => void (refused += 1),
    );
    watch.push(pieces(104)); // 10 tokens of up to 4 pieces, and 64 to spare
    expect(asked).toEqual([]);
    watch.push(pieces(1));
    watch.push(pieces(1));
    expect(asked).toEqual([77]);
    await settled();
    watch.push(pieces(38));
    expect(asked).toEqual([77]);
    watch.push(pieces(1));
    await settled();
    expect([asked, refused]).toEqual([[77, 77], 1]);
  });

  it('KEY-4: a question that fails ends the stream', async () => {
    let refused = 0;
    const watch = new OutgrowthWatch(
      { tokens: 0, againNanos: 1 },
      () => Promise.reject(new Error('gone')),
      () => void (refused += 1),
    );
    watch.push(pieces(65));
    await settled();
    expect(refused).toBe(1);
  });
});
