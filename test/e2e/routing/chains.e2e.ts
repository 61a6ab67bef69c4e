import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { hang, json, sse } from '#test/fakes/upstream/behaviour.js';
import { eventually } from '../harness.js';
import {
  chunk,
  OPENING,
  refuses,
  rowsOf,
  says,
  SECOND_USD,
  startRouted,
  streams,
  type RoutedProduct,
  type Row,
} from './routed-product.js';

/** Where a chain can stand, and what goes with it: attachments, listings, money, affinity (RTE-1, RTE-3, RTE-4). */
const TEAM_KEY = 'team-key-0123456789-abcdef';
const OWN_KEY = 'own-chain-key-0123456789-abcdef';
const POOR_KEY = 'poor-key-0123456789-abcdef';
const NARROW_KEY = 'narrow-key-0123456789-abcdef';
const toSecond = { steps: [{ targets: [{ model: 'second/well' }] }] };

let running: RoutedProduct;
beforeAll(async () => {
  running = await startRouted(['named', 'budget', 'unknown'], () => ({
    models: {
      fast: { target: 'first/behind', chain: 'backup' },
      busy: { target: 'first/busy', limits: { rpm: 1 } },
    },
    teams: { core: { chain: 'backup' } },
    keys: [
      { name: 'team', key: TEAM_KEY, team: 'core' },
      { name: 'own', key: OWN_KEY, chain: 'backup' },
      { name: 'narrow', key: NARROW_KEY, models: ['named'] },
      { name: 'poor', key: POOR_KEY, budgets: [{ limit_usd: 0.01, period: 'lifetime', mode: 'strict' }] },
    ],
    prices: { 'demo/echo': { input: 1, output: 1 } },
    fallback_chains: {
      backup: toSecond,
      demo: {
        steps: [{ targets: [{ model: 'demo/error-529' }] }, { targets: [{ model: 'demo/echo' }] }],
        retry: { base_ms: 5 },
      },
      going_on: {
        steps: [{ targets: [{ model: 'first/going-on' }] }, { targets: [{ model: 'second/well' }] }],
        retry: { after_content: 'next' },
      },
      to_busy: { steps: [{ targets: [{ model: 'busy' }] }, { targets: [{ model: 'second/well' }] }] },
      stored: { steps: [{ targets: [{ model: 'first/stored' }, { model: 'second/stored' }] }], affinity: 'none' },
      mixed: { steps: [{ targets: [{ model: 'first/mixed' }] }, { targets: [{ model: 'claude/claude-sonnet-5' }] }] },
      odd: { steps: [{ targets: [{ model: 'first/odd' }] }, { targets: [{ model: 'second/well' }] }] },
      limited: { steps: [{ targets: [{ model: 'first/limited' }] }, { targets: [{ model: 'second/well' }] }] },
    },
  }));
}, 180_000);
afterAll(() => running?.stop(), 60_000);
beforeEach(() => {
  running.upstream.reset();
  running.upstream.respond({ path: '/second/v1/chat/completions' }, says('second'));
});

const messages = [{ role: 'user' as const, content: 'hi' }];
const client = (apiKey = running.product.key): OpenAI =>
  new OpenAI({ baseURL: `${running.product.url}/v1`, apiKey, maxRetries: 0 });

const ask = async (model: string, apiKey?: string) => {
  const { data, response } = await client(apiKey).chat.completions.create({ model, messages }).withResponse();
  return { text: data.choices[0]?.message.content, headers: response.headers };
};

const gone = refuses(404, { message: 'no such model', code: 'model_not_found' });

describe('RTE-1: where a chain stands', () => {
  it.each([
    ['behind a model', 'fast', undefined],
    ['behind what the keys of a team ask for', 'first/of-team', TEAM_KEY],
    ['behind what a key asks for', 'first/of-key', OWN_KEY],
  ])('%s', async (_where, model, key) => {
    running.upstream.respond({ path: '/first/v1/chat/completions' }, gone);
    const { text, headers } = await ask(model, key);
    expect(text).toBe('second');
    expect(headers.get('x-smartflow-chain')).toBe('backup');
    expect(headers.get('x-smartflow-attempts')).toBe('2');
    expect(headers.get('x-smartflow-model')).toBe('well');
  });

  it('a model without a chain is asked once, and says so', async () => {
    running.upstream.respond({ path: '/first/v1/chat/completions' }, refuses(500, { message: 'broken' }));
    const failed: unknown = await ask('first/alone').catch((error: unknown) => error);
    expect(failed).toMatchObject({ status: 500 });
    expect((failed as { headers: Headers }).headers.get('x-smartflow-attempts')).toBe('1');
    expect((failed as { headers: Headers }).headers.get('x-smartflow-chain')).toBeNull();
    expect(running.upstream.requests).toHaveLength(1);
  });

  it('a chain made by the API serves calls as soon as the answer is there, and is taken away again', async () => {
    const { url, adminToken } = running.product;
    const admin = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const made = await fetch(`${url}/api/routing/fallback-chains`, {
      method: 'POST',
      headers: admin,
      body: JSON.stringify({ name: 'made', ...toSecond }),
    });
    expect(made.status).toBe(201);
    const served = await eventually('the chain serves', 5000, () => ask('made').catch(() => null));
    expect([served.text, served.headers.get('x-smartflow-chain')]).toEqual(['second', 'made']);
    expect((await fetch(`${url}/api/routing/fallback-chains/made`, { method: 'DELETE', headers: admin })).status).toBe(
      204,
    );
    await eventually('the chain is gone', 5000, () =>
      ask('made').then(
        () => null,
        () => true,
      ),
    );
  });

  it('the listings of all dialects name chains, as far as the key may use them', async () => {
    const listed = async (path: string, key = running.product.key): Promise<string> =>
      (await fetch(running.product.url + path, { headers: { authorization: `Bearer ${key}` } })).text();
    for (const path of ['/v1/models', '/anthropic/v1/models', '/gemini/v1beta/models']) {
      expect(await listed(path)).toContain('going_on');
    }
    const narrow = JSON.parse(await listed('/v1/models', NARROW_KEY)) as { data: { id: string }[] };
    expect(narrow.data.map(({ id }) => id)).toEqual(['named']);
    expect(await listed('/v1/models/named')).toContain('"id":"named"');
  });

  it('a key may be served by all targets of a chain it may name, and by none of another', async () => {
    running.upstream.respond({ model: 'named' }, gone);
    expect((await ask('named', NARROW_KEY)).text).toBe('second');
    await expect(ask('backup', NARROW_KEY)).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('the demo provider takes part: a chain can be tried without keys', async () => {
    const { text, headers } = await ask('demo');
    expect(text).toBe('hi');
    expect(headers.get('x-smartflow-attempts')).toBe('3');
    expect(headers.get('x-smartflow-provider')).toBe('demo');
  });
});

describe('RTE-3: what goes with a chain', () => {
  it('targets of other dialects take over, in the words of the caller', async () => {
    running.upstream.respond({ model: 'mixed' }, gone);
    const content = [{ type: 'text', text: 'from Claude' }];
    const usage = { input_tokens: 1, output_tokens: 1 };
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'c',
      content,
      stop_reason: 'end_turn',
      usage,
    };
    running.upstream.respond({ path: '/claude/v1/messages' }, json(message));
    expect((await ask('mixed')).text).toBe('from Claude');
    const anthropic = new Anthropic({
      baseURL: `${running.product.url}/anthropic`,
      apiKey: running.product.key,
      maxRetries: 0,
    });
    const answer = await anthropic.messages.create({ model: 'mixed', max_tokens: 50, messages });
    expect(answer.content).toMatchObject([{ text: 'from Claude' }]);
  });

  it('after content only a chain that asks for it goes on at the next target', async () => {
    running.upstream.respond({ model: 'going-on' }, sse([OPENING, chunk({ content: 'half ' })], { end: 'cut' }));
    running.upstream.respond({ path: '/second/v1/chat/completions' }, streams('and all'));
    const stream = await client().chat.completions.create({ model: 'going_on', messages, stream: true });
    let text = '';
    for await (const part of stream) text += part.choices[0]?.delta.content ?? '';
    expect(text).toBe('half and all');
  });

  it('LLM-8: a stream that broke and that no other target goes on with ends in an error, and in an error row', async () => {
    running.upstream.respond({ model: 'going-on' }, sse([OPENING, chunk({ content: 'half ' })], { end: 'cut' }));
    running.upstream.respond(
      { path: '/second/v1/chat/completions' },
      refuses(400, { message: 'no', code: 'bad_value' }),
    );
    const { data, response } = await client()
      .chat.completions.create({ model: 'going_on', messages, stream: true })
      .withResponse();
    let text = '';
    const readAll = async (): Promise<void> => {
      for await (const part of data) text += part.choices[0]?.delta.content ?? '';
    };
    await expect(readAll()).rejects.toMatchObject({ code: 'upstream_failed' });
    expect(text).toBe('half ');
    const { row } = await rowsOf(running.product, 'going_on', response.headers);
    expect(row).toMatchObject({ error: 'upstream_failed', provider: 'second', attempts: 2 });
  });

  it('a target whose own limit is full is passed over, and is not blamed', async () => {
    running.upstream.respond({ model: 'busy' }, says('first'));
    expect((await ask('to_busy')).text).toBe('first');
    const { text, headers } = await ask('to_busy');
    expect([text, headers.get('x-smartflow-attempts')]).toEqual(['second', '1']);
  });

  it('a Responses call goes on where its answer was made', async () => {
    const answer = (id: string): object => ({
      id,
      object: 'response',
      created_at: 1,
      status: 'completed',
      model: 'stored',
      output: [],
      usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
    });
    let made = 0;
    running.upstream.respond({ path: /\/v1\/responses$/ }, () => json(answer(`resp_${++made}`)));
    const create = async (previous: string | null): Promise<readonly [string, string | null]> => {
      const { data, response } = await client()
        .responses.create({ model: 'stored', input: 'hi', previous_response_id: previous })
        .withResponse();
      return [data.id, response.headers.get('x-smartflow-provider')];
    };
    const [id, maker] = await create(null);
    for (let turn = 0; turn < 8; turn++) expect((await create(id))[1]).toBe(maker);
  });

  const leaveOnce = async (model: string): Promise<void> => {
    const controller = new AbortController();
    const before = running.upstream.requests.length;
    const call = client().chat.completions.create({ model, messages }, { signal: controller.signal });
    await running.upstream.waitForRequest(before + 1);
    controller.abort();
    await expect(call).rejects.toThrow();
  };

  it('a caller that leaves between two attempts ends the call: no further attempt is made', async () => {
    running.upstream.respond(
      { model: 'limited' },
      refuses(429, { message: 'slow down' }, { 'retry-after-ms': '1500' }),
    );
    await leaveOnce('limited');
    const row = await eventually('its row', 8000, async () => {
      const answer = await fetch(`${running.product.url}/api/logs?limit=200`, {
        headers: { authorization: `Bearer ${running.product.adminToken}` },
      });
      const { items } = (await answer.json()) as { items: Row[] };
      return items.find(({ modelRequested }) => modelRequested === 'limited') ?? null;
    });
    expect(row).toMatchObject({ status: 499, error: 'client_gone', attempts: 1, costUsd: '0' });
    await new Promise((resolve) => setTimeout(resolve, 1600));
    expect(running.upstream.requests).toHaveLength(1);
  });

  it('mistakes of callers never count against a target: it serves the next one', async () => {
    const mistakes = [
      refuses(404, { message: "Item with id 'rs_1' not found.", type: 'invalid_request_error', param: 'input' }),
      refuses(404, { message: 'File file_1 not found on container cntr_1.', type: 'invalid_request_error' }),
      refuses(400, { message: "Invalid value: 'insufficient funds'", type: 'invalid_request_error' }),
    ];
    for (const [at, mistake] of [...mistakes, ...mistakes].entries()) {
      running.upstream.respond({ path: '/second/v1/chat/completions' }, mistake, { times: 1 });
      const refused = await client()
        .chat.completions.create({ model: 'backup', messages })
        .catch((error: unknown) => error);
      expect([at, refused]).toEqual([at, expect.objectContaining({ status: at % 3 === 2 ? 400 : 404 })]);
    }
    const { text, headers } = await ask('backup');
    expect([text, headers.get('x-smartflow-attempts')]).toEqual(['second', '1']);
  });

  it('what a model could not write is not held against its provider: the next target serves, the first stays in use', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'ping', arguments: '{"host":' } };
    const message = { role: 'assistant', content: null, tool_calls: [call] };
    const choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    const odd = json({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices, usage });
    running.upstream.respond({ model: 'odd' }, odd);
    const { url, key: apiKey } = running.product;
    const anthropic = new Anthropic({ baseURL: `${url}/anthropic`, apiKey, maxRetries: 0 });
    for (let turn = 0; turn < 6; turn++) {
      const asked = anthropic.messages.create({ model: 'odd', max_tokens: 50, messages });
      const { data, response } = await asked.withResponse();
      expect([turn, data.content]).toMatchObject([turn, [{ text: 'second' }]]);
      expect(response.headers.get('x-smartflow-attempts')).toBe('2');
    }
  });

  it('callers that leave never count against a target: it serves the next one', async () => {
    running.upstream.respond({ path: '/second/v1/chat/completions' }, hang, { times: 7 });
    for (let caller = 0; caller < 7; caller++) await leaveOnce('backup');
    const { text, headers } = await ask('backup');
    expect([text, headers.get('x-smartflow-attempts')]).toEqual(['second', '1']);
  });
});

describe('KEY-4, KEY-6: money of a chain', () => {
  it('retries and fallbacks share what was set aside; what failed for free costs nothing', async () => {
    running.upstream.respond({ model: 'budget' }, refuses(529, { message: 'overloaded' }));
    const { data, response } = await client(POOR_KEY)
      .chat.completions.create({ model: 'budget', messages, max_tokens: 100 })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('second');
    expect(response.headers.get('x-smartflow-budget-remaining')).toBe('0.00995');
    const { row, rows } = await rowsOf(running.product, 'budget', response.headers);
    expect(rows).toHaveLength(1);
    expect(row).toMatchObject({ attempts: 3, costUsd: SECOND_USD, provider: 'second' });
  });

  it('an attempt whose cost nobody knows is booked at its bound before the next one begins', async () => {
    running.upstream.respond({ model: 'unknown' }, hang);
    const { response } = await client(POOR_KEY)
      .chat.completions.create({ model: 'unknown', messages, max_tokens: 100 })
      .withResponse();
    expect(response.headers.get('x-smartflow-attempts')).toBe('3');
    const { row, rows } = await rowsOf(running.product, 'unknown', response.headers);
    expect(row).toMatchObject({ provider: 'second', costUsd: SECOND_USD });
    const failed = rows.filter(({ provider }) => provider === 'first');
    expect(failed).toHaveLength(2);
    for (const { costUsd } of failed) expect(Number(costUsd)).toBeGreaterThan(0);
  });
});
