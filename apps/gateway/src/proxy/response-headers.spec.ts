import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { answerHeaders } from './response-headers.js';

describe('answerHeaders', () => {
  it('LLM-2: a credential that an upstream quotes is taken out, also of a header that comes twice', () => {
    const secret = 'sk-upstream-secret';
    const exchange = {
      id: 'req_1',
      endpoint: { dialect: { name: 'openai' } },
      target: { provider: { credentials: [Buffer.from(secret)] } },
      attempt: null,
      run: null,
      cached: null,
      ticket: null,
      dropped: [],
    } as unknown as Exchange;
    const told = answerHeaders(exchange, {} as DataPlane, { 'x-one': `a ${secret}`, 'x-two': [secret, `b ${secret}`] });
    expect(told).toEqual({ 'x-request-id': 'req_1', 'x-one': 'a [secret]', 'x-two': ['[secret]', 'b [secret]'] });
  });
});
