import { describe, expect, it } from '@jest/globals';
import { startAdminGateway } from './admin-gateway.js';

describe('models without a price', () => {
  it('KEY-5: are refused when the file says so, before any upstream call', async () => {
    const gateway = await startAdminGateway({
      egress: { allow: ['127.0.0.0/8'] },
      providers: { local: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' } },
      pricing: { unpriced: 'refuse' },
      keys: [{ name: 'ci', key: 'a-key-for-prices-0123456789' }],
    });
    try {
      const call = () =>
        gateway.call('POST', '/v1/chat/completions', {
          token: 'a-key-for-prices-0123456789',
          body: { model: 'local/llama', messages: [] },
        });
      const refused = await call();
      expect([refused.status, refused.json.error.code]).toEqual([403, 'model_unpriced']);
      await gateway.call('POST', '/api/prices', { body: { model: 'local/llama', input: 0, output: 0 } });
      expect((await call()).status).toBe(502); // now it is tried: nobody listens there
    } finally {
      await gateway.stop();
    }
  }, 90_000);
});
