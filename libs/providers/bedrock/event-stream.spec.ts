import { crc32 } from 'node:zlib';
import { frame } from '#test/fakes/clouds/event-frames.js';
import { EventStreamFault, EventStreamReader, type EventMessage } from './event-stream.js';

function read(...chunks: Buffer[]): EventMessage[] {
  const reader = new EventStreamReader();
  const messages: EventMessage[] = [];
  for (const chunk of chunks) reader.push(chunk, (message) => messages.push(message));
  expect(reader.pendingBytes).toBe(0);
  return messages;
}

const plain = (message: EventMessage): object => ({
  headers: Object.fromEntries(message.headers),
  payload: message.payload.toString(),
});

/** Published vectors of the encoding (awslabs/aws-c-event-stream): an empty message, and one with a payload only. */
const EMPTY = Buffer.from('000000100000000005c248eb7d98c8ff', 'hex');
const PAYLOAD = Buffer.from('0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936', 'hex');

describe('EventStreamReader', () => {
  it('reads the published vectors', () => {
    expect(read(EMPTY).map(plain)).toEqual([{ headers: {}, payload: '' }]);
    expect(read(PAYLOAD).map(plain)).toEqual([{ headers: {}, payload: "{'foo':'bar'}" }]);
    expect(frame({}, '')).toEqual(EMPTY);
    expect(frame({}, "{'foo':'bar'}")).toEqual(PAYLOAD);
  });

  const typed = Buffer.concat([
    Buffer.from([1, 0x62, 0]), // true
    Buffer.from([1, 0x63, 1]), // false
    Buffer.from([1, 0x64, 2, 9]), // byte
    Buffer.from([1, 0x65, 3, 0, 9]), // short
    Buffer.from([1, 0x66, 4, 0, 0, 0, 9]), // integer
    Buffer.from([1, 0x67, 5, 0, 0, 0, 0, 0, 0, 0, 9]), // long
    Buffer.from([1, 0x68, 6, 0, 2, 1, 2]), // bytes
    Buffer.from([1, 0x69, 8, 0, 0, 0, 0, 0, 0, 0, 9]), // timestamp
    Buffer.concat([Buffer.from([1, 0x6a, 9]), Buffer.alloc(16)]), // uuid
  ]);

  it('passes over header values of every type and keeps the text ones', () => {
    expect(read(frame({ ':event-type': 'chunk', ü: '🙂' }, 'x', typed)).map(plain)).toEqual([
      { headers: { ':event-type': 'chunk', ü: '🙂' }, payload: 'x' },
    ]);
  });

  const stream = Buffer.concat([
    frame({ a: '1' }, 'first'),
    EMPTY,
    frame({ b: '2' }, 'zweite 🙂', typed),
    frame({}, 'x'.repeat(300)),
  ]);
  const expected = read(stream).map(plain);

  it('cut at every byte it reads the same messages', () => {
    expect(expected).toHaveLength(4);
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(read(stream.subarray(0, cut), stream.subarray(cut)).map(plain)).toEqual(expected);
    }
    expect(read(...[...stream].map((byte) => Buffer.from([byte]))).map(plain)).toEqual(expected);
  });

  it('one wrong byte anywhere is a fault, and no wrong message comes out', () => {
    const good = frame({ ':event-type': 'chunk' }, '{"bytes":"aGk="}');
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x01;
      const messages: EventMessage[] = [];
      expect(() => new EventStreamReader().push(bad, (message) => messages.push(message))).toThrow(EventStreamFault);
      expect(messages).toEqual([]);
    }
  });

  it('what came before a fault has been handed out', () => {
    const messages: EventMessage[] = [];
    const bad = Buffer.from(PAYLOAD);
    bad[20] = 0;
    expect(() => new EventStreamReader().push(Buffer.concat([PAYLOAD, bad]), (m) => messages.push(m))).toThrow(
      EventStreamFault,
    );
    expect(messages).toHaveLength(1);
  });

  it.each([
    ['0xffffffff bytes in all', 0xffffffff, 0, /too long/],
    ['20 MiB in all', 20 * 1024 * 1024, 0, /too long/],
    ['200 KiB of headers', 300_000, 200 * 1024, /too long/],
    ['headers longer than the message', 20, 100, /contradict/],
    ['shorter than its own frame', 12, 0, /contradict/],
  ])('%s with a right checksum is refused', (_name, total, headers, message) => {
    const head = Buffer.alloc(12);
    head.writeUInt32BE(total, 0);
    head.writeUInt32BE(headers, 4);
    head.writeUInt32BE(crc32(head.subarray(0, 8)), 8);
    expect(() => new EventStreamReader().push(head, () => {})).toThrow(message);
  });

  it.each([
    ['a type nobody knows', Buffer.from([1, 0x61, 77])],
    ['a text longer than the headers', Buffer.from([1, 0x61, 7, 0xff, 0xff, 1])],
    ['a name longer than the headers', Buffer.from([200, 0x61])],
    ['no value', Buffer.from([1, 0x61])],
  ])('a header with %s is a fault', (_name, header) => {
    expect(() => read(frame({}, 'x', header))).toThrow(EventStreamFault);
  });
});
