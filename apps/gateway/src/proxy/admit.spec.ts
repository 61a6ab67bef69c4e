import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { LimitScope } from '#libs/keys-budgets/index.js';
import { NO_LIMITS } from '#libs/platform/config.js';
import type { PlanTarget, RoutePlan, Target } from '#libs/routing/index.js';
import { anyKey } from '#test/fakes/any-call.js';
import { admitTarget, usualTokens } from './admit.js';
import type { DataPlane } from './data-plane.js';
import { endpointOf } from './endpoints.js';
import { Exchange } from './exchange.js';
import { read } from './read.js';
import type { Snapshot } from './snapshot.js';

const TARGET = { provider: { chatMaximum: 'max_completion_tokens' }, model: 'm' } as Target;
const LIMITED = [{ limits: { ...NO_LIMITS, tpm: 1000 } }] as unknown as readonly LimitScope[];

function exchangeOf(route: string, url: string, bytes: Buffer, snapshot = {} as Snapshot): Exchange {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { url, method: 'POST', headers: {}, rawHeaders: [] });
  return new Exchange(endpointOf('POST', route)!, request, new ServerResponse(request), bytes, snapshot);
}

function tokensOf(route: string, url: string, body: object) {
  const bytes = Buffer.from(JSON.stringify(body));
  const exchange = exchangeOf(route, url, bytes);
  return { bytes: bytes.length, ...usualTokens(exchange, read(exchange), TARGET, LIMITED) };
}
const chat = (content: unknown, more: object = {}) =>
  tokensOf('/v1/chat/completions', '/v1/chat/completions', {
    model: 'm',
    messages: [{ role: 'user', content }],
    ...more,
  });
const gemini = (body: object) => tokensOf('/v1beta/models/*', '/v1beta/models/m:generateContent', body);
const image = (bytes: number) => ({
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${'A'.repeat(bytes)}` },
});

describe('usualTokens', () => {
  it('KEY-3: a long text counts as one, whatever it mentions', () => {
    const { input, bytes } = chat(`a word: ;base64, "base64" "inlineData" ${'x'.repeat(400_000)}`);
    expect(input).toBe(Math.ceil(bytes / 4));
  });

  it('KEY-3: a large picture counts as a picture and the text beside it as text', () => {
    const { input } = chat([image(400_000), { type: 'text', text: 'x'.repeat(100_000) }]);
    expect(input).toBeGreaterThan(25_000 + 4_096);
    expect(input).toBeLessThan(25_000 + 4_096 + 100);
  });

  it('KEY-3: the stated maximum counts under its name in every dialect, up to what is usual', () => {
    expect(chat('x', { max_completion_tokens: 7 }).output).toBe(7);
    expect(chat('x', { max_output_tokens: 7 }).output).toBe(1024);
    expect(chat('x', { max_tokens: 100_000 }).output).toBe(1024);
    expect(gemini({ contents: [], generationConfig: { maxOutputTokens: 9 } }).output).toBe(9);
    expect(gemini({ contents: [] }).output).toBe(1024);
  });
});

describe('admitTarget', () => {
  it('KEY-3: a body that is no JSON is the mistake of the caller, also where only the limit of a target reads it', async () => {
    const route = '/v1/chat/completions';
    const snapshot = { modelLimits: new Map([['p/m', LIMITED]]) } as unknown as Snapshot;
    const body = Buffer.from(String.raw`{"model":"chain","messages":[],"service_tier":"\q"}`);
    const exchange = exchangeOf(route, route, body, snapshot);
    exchange.key = anyKey;
    exchange.plan = { chain: 'chain' } as RoutePlan;
    const plane = { limiter: { admit: () => 'admitted' } } as unknown as DataPlane;
    const room = admitTarget(exchange, read(exchange), { id: 'p/m', target: TARGET } as PlanTarget, plane);
    await expect(room).rejects.toMatchObject({ code: 'invalid_json' });
  });
});
