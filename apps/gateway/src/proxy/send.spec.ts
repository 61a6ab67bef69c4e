import { setImmediate as turn } from 'node:timers/promises';
import type { Provider } from '#libs/providers/index.js';
import type { DataPlane } from './data-plane.js';
import { send, type AnswerHandler, type Sending } from './send.js';

it('LLM-5: a fault in signing a call is the same whether its token was at hand or not', async () => {
  const credential = (isReady: boolean) => ({
    isReady: () => isReady,
    refresh: async () => {},
    headersFor: () => {
      throw new TypeError('odd key');
    },
  });
  const sendingWith = (isReady: boolean): Sending => ({
    provider: { adaptation: null, credential: credential(isReady) } as unknown as Provider,
    operation: 'chat',
    outgoing: { path: '/', headers: [], body: Buffer.alloc(0) },
    waits: { firstByteMs: 1, idleMs: 1 },
  });
  const heard: Error[] = [];
  const handler: AnswerHandler = { onResponseError: (_controller, error) => void heard.push(error) };
  const plane = {} as DataPlane;
  expect(() => send(sendingWith(true), plane, handler)).toThrow('odd key');
  send(sendingWith(false), plane, handler);
  await turn();
  expect(heard).toMatchObject([{ code: 'internal', cause: { message: 'odd key' } }]);
});
