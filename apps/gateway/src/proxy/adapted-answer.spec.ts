import type { Dispatcher } from 'undici';
import type { AnswerDecoder, Provider } from '#libs/providers/index.js';
import { AdaptedAnswer } from './adapted-answer.js';

const FAULT = new Error('malformed');

/** Passes bytes on in upper case; a `!` is a fault. */
class Upper implements AnswerDecoder {
  readonly headers = { 'content-type': 'text/event-stream' };
  fault: Error | null = null;
  push(chunk: Buffer): Buffer {
    const [good = '', bad] = chunk.toString().split('!');
    if (bad !== undefined) this.fault = FAULT;
    return Buffer.from(good.toUpperCase());
  }
  end(): Buffer {
    return Buffer.from('END');
  }
}

function setUp(decoder: AnswerDecoder | null) {
  const seen: string[] = [];
  let refused = 0;
  const inner: Dispatcher.DispatchHandler = {
    onRequestStart: () => void seen.push('start'),
    onResponseStart: (_controller, status, headers) => void seen.push(`${status} ${String(headers['content-type'])}`),
    onResponseData: (_controller, chunk) => void seen.push(chunk.toString()),
    onResponseEnd: () => void seen.push('end'),
    onResponseError: (_controller, error) => void seen.push(`error ${error.message}`),
  };
  const provider = {
    adaptation: { decoderFor: () => decoder },
    credential: { refused: () => void refused++ },
  } as unknown as Provider;
  const controller = {
    abort: (reason: Error) => void seen.push(`abort ${reason.message}`),
  } as unknown as Dispatcher.DispatchController;
  const answer = new AdaptedAnswer(provider, 'messages', inner);
  const start = (status = 200): void => {
    answer.onRequestStart(controller, {});
    answer.onResponseStart(controller, status, { 'content-type': 'x' });
  };
  const data = (text: string): void => answer.onResponseData(controller, Buffer.from(text));
  return { answer, controller, seen, start, data, refusals: () => refused };
}

describe('AdaptedAnswer', () => {
  it('LLM-8: the handler sees decoded bytes and headers; empty results are no chunks', () => {
    const { answer, controller, seen, start, data } = setUp(new Upper());
    start();
    data('a');
    data('');
    answer.onResponseEnd(controller, {});
    expect(seen).toEqual(['start', '200 text/event-stream', 'A', 'END', 'end']);
  });

  it('without a decoder everything passes as it is', () => {
    const { answer, controller, seen, start, data } = setUp(null);
    start();
    data('a!');
    answer.onResponseEnd(controller, {});
    expect(seen).toEqual(['start', '200 x', 'a!', 'end']);
  });

  it.each([
    [
      'the connection ends with an error',
      (answer: AdaptedAnswer, c: Dispatcher.DispatchController) => answer.onResponseError(c, new Error('aborted')),
    ],
    [
      'the answer had ended already',
      (answer: AdaptedAnswer, c: Dispatcher.DispatchController) => answer.onResponseEnd(c, {}),
    ],
    [
      'both come',
      (answer: AdaptedAnswer, c: Dispatcher.DispatchController) => {
        answer.onResponseEnd(c, {});
        answer.onResponseError(c, new Error('aborted'));
      },
    ],
  ])('LLM-8: a fault aborts the call and is told once, when %s; nothing follows it', (_name, end) => {
    const { answer, controller, seen, start, data } = setUp(new Upper());
    start();
    data('ab!c');
    data('d');
    end(answer, controller);
    expect(seen).toEqual(['start', '200 text/event-stream', 'AB', 'abort malformed', 'error malformed']);
  });

  it('a broken connection is told as it is', () => {
    const { answer, controller, seen, start } = setUp(new Upper());
    start();
    answer.onResponseError(controller, new Error('cut'));
    expect(seen.at(-1)).toBe('error cut');
  });

  it('LLM-5: an upstream that refuses the credentials is remembered', () => {
    for (const [status, times] of [
      [200, 0],
      [401, 1],
      [403, 1],
      [429, 0],
    ] as const) {
      const { start, refusals } = setUp(null);
      start(status);
      expect(refusals()).toBe(times);
    }
  });
});
