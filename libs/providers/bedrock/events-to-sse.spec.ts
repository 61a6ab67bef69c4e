import { chunkFrame, exceptionFrame, frame, framesOf } from '#test/fakes/clouds/event-frames.js';
import { recordings } from '#test/fakes/upstream/recordings.js';
import { EventsToSse } from './events-to-sse.js';

const HEADERS = {
  'content-type': 'application/vnd.amazon.eventstream',
  'content-length': '7',
  'x-amzn-requestid': 'r',
};

function decode(...chunks: Buffer[]): { text: string; fault: Error | null } {
  const decoder = new EventsToSse(HEADERS);
  const parts = chunks.map((chunk) => decoder.push(chunk));
  return { text: Buffer.concat([...parts, decoder.end()]).toString(), fault: decoder.fault };
}

describe('EventsToSse', () => {
  const events = recordings.messagesStream.frames;
  const bytes = Buffer.concat(framesOf(events));

  it('LLM-8: gives the very events of the model, cut wherever the chunks are', () => {
    expect(decode(bytes)).toEqual({ text: events.join(''), fault: null });
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      expect(decode(bytes.subarray(0, cut), bytes.subarray(cut)).text).toBe(events.join(''));
    }
    expect(decode(...[...bytes].map((byte) => Buffer.from([byte]))).text).toBe(events.join(''));
  });

  it('LLM-8: an event goes out with the chunk that completes it', () => {
    const decoder = new EventsToSse(HEADERS);
    const [first, second] = framesOf(events) as [Buffer, Buffer];
    expect(decoder.push(Buffer.concat([first, second.subarray(0, -1)])).toString()).toBe(events[0]);
    expect(decoder.push(second.subarray(-1)).toString()).toBe(events[1]);
  });

  it('says it is an event stream of unknown length', () => {
    expect(new EventsToSse(HEADERS).headers).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'x-amzn-requestid': 'r',
    });
  });

  it.each([
    ['throttlingException', 'rate_limit_error'],
    ['validationException', 'invalid_request_error'],
    ['internalServerException', 'api_error'],
    ['modelStreamErrorException', 'api_error'],
    ['modelTimeoutException', 'timeout_error'],
    ['serviceUnavailableException', 'overloaded_error'],
    ['accessDeniedException', 'permission_error'],
    ['newException', 'api_error'],
  ])('LLM-8: %s becomes an error event of type %s with its text', (exception, type) => {
    const { text } = decode(chunkFrame('{"type":"ping"}'), exceptionFrame(exception, 'why "so"\nlate'));
    const [, event] = text.split('\n\n') as [string, string];
    expect(event.split('\n')[0]).toBe('event: error');
    expect(JSON.parse(event.split('\n')[1]!.slice(6))).toEqual({
      type: 'error',
      error: { type, message: 'why "so"\nlate' },
    });
  });

  it('LLM-8: a message of type error becomes an error event', () => {
    const bad = frame(
      { ':message-type': 'error', ':error-code': 'InternalServerException', ':error-message': 'down' },
      '',
    );
    expect(decode(bad).text).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"down"}}\n\n',
    );
  });

  it('events of other kinds and keep-alives without a type are passed over', () => {
    const other = frame({ ':message-type': 'event', ':event-type': 'initial-response' }, '{}');
    expect(decode(other, chunkFrame('{}'), chunkFrame('{"type":7}'))).toEqual({ text: '', fault: null });
  });

  it('a pretty-printed event becomes one line', () => {
    const { text } = decode(chunkFrame(JSON.stringify({ type: 'ping', a: [1, 'x\ny'] }, null, 2)));
    expect(text).toBe('event: ping\ndata: {"type":"ping","a":[1,"x\\ny"]}\n\n');
  });

  it.each([
    [
      'a wrong checksum',
      () => {
        const bad = Buffer.from(chunkFrame('{"type":"ping"}'));
        bad[30]! ^= 1;
        return bad;
      },
    ],
    ['a chunk without bytes', () => frame({ ':event-type': 'chunk' }, '{"p":"x"}')],
    ['a chunk that is no JSON', () => frame({ ':event-type': 'chunk' }, 'oops')],
    ['a chunk whose bytes are no JSON', () => chunkFrame('<html>')],
  ])('LLM-8: %s is a fault; what came before is kept, what comes after is not', (_name, bad) => {
    const { text, fault } = decode(
      Buffer.concat([chunkFrame('{"type":"ping"}'), bad()]),
      chunkFrame('{"type":"ping"}'),
    );
    expect(text).toBe('event: ping\ndata: {"type":"ping"}\n\n');
    expect(fault).toMatchObject({ code: 'upstream_invalid' });
  });
});
