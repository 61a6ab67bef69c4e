import { SseBlocks } from './sse-blocks.js';

const events = 'event: a\ndata: {"x":"é🙂"}\n\ndata: two\r\n\r\n: comment\n\ndata: [DONE]\n\n';

function feed(chunks: readonly Buffer[]): { sent: Buffer[]; rest: Buffer | null } {
  const blocks = new SseBlocks();
  const sent = chunks.map((chunk) => blocks.push(chunk)).filter((block) => block !== null);
  return { sent, rest: blocks.rest() };
}

describe('SseBlocks', () => {
  it('LLM-8: passes a chunk of whole events on as it is, uncopied', () => {
    const chunk = Buffer.from(events);
    expect(feed([chunk]).sent[0]).toBe(chunk);
  });

  it('LLM-8: however a stream is cut, every byte arrives and each block ends with an event', () => {
    const bytes = Buffer.from(events);
    for (let size = 1; size < bytes.length; size++) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      const { sent, rest } = feed(chunks);
      expect(Buffer.concat(sent).toString()).toBe(events);
      expect(rest).toBeNull();
      for (const block of sent) expect(block.toString()).toMatch(/\n\r?\n$/);
    }
  });

  it('LLM-8: holds an unfinished event back, so that an error event can follow what was sent', () => {
    const { sent, rest } = feed([Buffer.from('data: one\n\ndata: tw')]);
    expect(Buffer.concat(sent).toString()).toBe('data: one\n\n');
    expect(rest?.toString()).toBe('data: tw');
  });
});
