import { readFile, writeFile } from 'node:fs/promises';
import { sse } from '#test/fakes/upstream/behaviour.js';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { eventually, recordedChildren, startProduct, type Product } from '../harness.js';
import { logOf, post } from './proxied-product.js';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await startFakeUpstream();
});
afterAll(() => upstream?.stop());
beforeEach(() => upstream.reset());

const config = (more: object = {}): string =>
  JSON.stringify({
    egress: { allow: ['127.0.0.0/8'] },
    limits: { drain_ms: 3000 },
    providers: { openai: { type: 'openai', base_url: `${upstream.url}/v1`, api_key: 'sk-upstream-1234567890' } },
    ...more,
  });
const chat = { model: 'gpt-5', stream: true, messages: [] };

describe('the configuration file', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({ config: config() });
  }, 120_000);
  afterAll(() => product?.stop(), 60_000);

  it('CFG-1: a change is in force within two seconds, without a restart and without cutting a call', async () => {
    upstream.respond('next', sse(recordings.chatStream.frames, { gapMs: 300 }));
    const running = post(product, '/v1/chat/completions', chat);
    const file = JSON.parse(await readFile(product.configFile, 'utf8')) as object;
    await writeFile(
      product.configFile,
      JSON.stringify({
        ...file,
        models: { brand: { target: 'openai/gpt-5-mini' } },
        keys: [{ name: 'new', key: 'a-brand-new-key-0123456789' }],
      }),
    );
    upstream.respond({ model: 'gpt-5-mini' }, replay(recordings.chat));
    await eventually('the new model and key', 3000, async () => {
      const answer = await post(
        product,
        '/v1/chat/completions',
        { model: 'brand', messages: [] },
        { authorization: 'Bearer a-brand-new-key-0123456789' },
      );
      return answer.status === 200 ? true : null;
    });
    expect(await (await running).text()).toContain('[DONE]');
  });

  it('CFG-1: a faulty change is refused as a whole and the last good one stays in force', async () => {
    const before = product.logs().length;
    const file = JSON.parse(await readFile(product.configFile, 'utf8')) as object;
    await writeFile(product.configFile, JSON.stringify({ ...file, models: { other: { target: 'nowhere/x' } } }));
    await eventually('the refusal in the log', 5000, () =>
      product.logs().slice(before).includes('refused') ? true : null,
    );
    upstream.respond({ model: 'gpt-5-mini' }, replay(recordings.chat));
    expect((await post(product, '/v1/chat/completions', { model: 'brand', messages: [] })).status).toBe(200);
  });
});

describe('shutting down', () => {
  it('OPS-2: SIGTERM lets a stream finish; one that takes too long ends in an error event with its row settled', async () => {
    const product = await startProduct({ config: config(), dataDir: undefined });
    try {
      upstream.respond('next', sse(recordings.chatStream.frames, { gapMs: 150 }));
      const quick = await post(product, '/v1/chat/completions', chat);
      upstream.respond('next', sse([recordings.chatStream.frames[0] as string], { end: 'hang' }));
      const slow = await post(product, '/v1/chat/completions', chat);
      const { gateway } = await recordedChildren(product.dataDir);
      process.kill(gateway, 'SIGTERM');
      expect(await quick.text()).toContain('data: [DONE]');
      expect(await slow.text()).toMatch(/data: \{"error":\{"message":"The gateway is shutting down\..*\}\n\n$/);
      // The supervisor has started another gateway on the same port: the rows are there.
      for (const [answer, error] of [
        [quick, null],
        [slow, 'draining'],
      ] as const) {
        const row = await eventually('the row after the restart', 20_000, () =>
          logOf(product, answer.headers.get('x-request-id') ?? '').catch(() => null),
        );
        expect(row.error).toBe(error);
      }
    } finally {
      await product.stop();
    }
  }, 120_000);
});
