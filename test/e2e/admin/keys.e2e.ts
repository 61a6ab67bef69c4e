import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('/api/keys', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway({
      keys: [
        { name: 'ci', key: 'a-key-of-the-file-0123456789', team: 'research', tags: ['t'], metadata: { a: 'b' } },
        { name: 'made' },
      ],
      teams: { research: { models: ['gpt-*', 'fast', 'claude-*'] } },
    });
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  const models = (key: string): Promise<number> =>
    fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then(async (answer) => {
      await answer.text();
      return answer.status;
    });

  it('KEY-1, CFG-5: a key is made in the shape of the file, its secret is shown once, and it works at once', async () => {
    const wish = {
      name: 'Ünïcode key',
      team: 'research',
      models: ['gpt-*', 'fast'],
      routes: ['/v1/*'],
      tags: ['health-portal'],
      budgets: [
        {
          limit_usd: 10.5,
          period: 'daily',
          time_zone: 'Europe/Berlin',
          week_start: 'sunday',
          mode: 'strict',
          warn_at: [0.5, 0.8],
        },
      ],
      limits: { rpm: 600, tpm: null, max_parallel: 4 },
      expires_at: '2099-01-31T12:00:00+02:00',
      metadata: { owner: 'ada', 'cost.center': '42' },
      chain: 'resilient',
    };
    const made = await gateway.call('POST', '/api/keys', { body: wish });
    expect(made.status).toBe(201);
    expect(made.json).toEqual({
      ...wish,
      expires_at: '2099-01-31T10:00:00.000Z',
      id: expect.stringMatching(/^key_[0-9a-f-]{36}$/),
      key: expect.stringMatching(/^sk-sf-[0-9A-Za-z]{57}$/),
      key_hint: made.json.key.slice(0, 14),
      user: null,
      app: null,
      status: 'active',
      source: 'api',
      version: expect.any(Number),
      created_at: expect.any(String),
      created_by: expect.stringMatching(/^tok_/),
      updated_at: expect.any(String),
      blocked_at: null,
      blocked_reason: null,
      revoked_at: null,
      rotated_at: null,
      previous_key_until: null,
      problem: null,
      last_used_at: null,
      spent_usd: '0',
    });
    expect(made.headers.get('etag')).toBe(`"${made.json.version}"`);
    expect(await models(made.json.key)).toBe(200);
    const { key, ...shown } = made.json;
    const again = await gateway.call('GET', `/api/keys/${made.json.id}`);
    expect(again.json).toEqual(shown);
    for (const path of ['/api/keys', `/api/keys/${made.json.id}`]) {
      expect((await gateway.call('GET', path)).text).not.toContain(key);
    }
  });

  it('KEY-1: what is left out allows everything and never expires', async () => {
    const { json } = await gateway.call('POST', '/api/keys', { body: { name: 'plain' } });
    expect(json).toMatchObject({ team: null, models: ['*'], routes: ['*'], tags: [], expires_at: null, metadata: {} });
    expect(json).toMatchObject({
      user: null,
      app: null,
      budgets: [],
      limits: { rpm: null, tpm: null, max_parallel: null },
    });
  });

  it('KEY-1: a revoked key stops working at once, stays listed, and cannot be changed', async () => {
    const { json } = await gateway.call('POST', '/api/keys', { body: { name: 'short-lived' } });
    expect(await models(json.key)).toBe(200);
    const revoked = await gateway.call('DELETE', `/api/keys/${json.id}?wait=applied`);
    expect(revoked.status).toBe(200);
    expect(revoked.headers.get('x-smartflow-applied')).toBe('1/1');
    expect(revoked.json).toMatchObject({ status: 'revoked', revoked_at: expect.any(String) });
    expect(await models(json.key)).toBe(401);
    expect((await gateway.call('GET', `/api/keys/${json.id}`)).json.status).toBe('revoked');
    const again = await gateway.call('DELETE', `/api/keys/${json.id}`);
    expect([again.status, again.json.version]).toEqual([200, revoked.json.version]);
    expect((await gateway.call('PATCH', `/api/keys/${json.id}`, { body: { name: 'x' } })).status).toBe(409);
  });

  it('PATCH changes what is given, takes away what is null, and leaves the rest', async () => {
    const { json: made } = await gateway.call('POST', '/api/keys', {
      body: { name: 'p', team: 'research', tags: ['a'], metadata: { a: '1' }, expires_at: '2099-01-01T00:00:00Z' },
    });
    const path = `/api/keys/${made.id}`;
    const one = await gateway.call('PATCH', path, { body: { name: 'q', models: ['claude-*'] } });
    expect(one.json).toMatchObject({
      name: 'q',
      team: 'research',
      tags: ['a'],
      metadata: { a: '1' },
      models: ['claude-*'],
      expires_at: '2099-01-01T00:00:00.000Z',
    });
    const two = await gateway.call('PATCH', path, { body: { team: null, expires_at: null, tags: [], metadata: {} } });
    expect(two.json).toMatchObject({
      name: 'q',
      team: null,
      expires_at: null,
      tags: [],
      metadata: {},
      models: ['claude-*'],
    });
    const nothing = await gateway.call('PATCH', path, { body: {} });
    expect(nothing.status).toBe(200);
  });

  it('IAM-5: a change made on an old reading is refused with 409', async () => {
    const { json: made } = await gateway.call('POST', '/api/keys', { body: { name: 'v' } });
    const path = `/api/keys/${made.id}`;
    const changed = await gateway.call('PATCH', path, {
      body: { name: 'w' },
      headers: { 'if-match': `"${made.version}"` },
    });
    expect(changed.status).toBe(200);
    const late = await gateway.call('PATCH', path, {
      body: { name: 'x' },
      headers: { 'if-match': `"${made.version}"` },
    });
    expect([late.status, late.json.code]).toEqual([409, 'conflict']);
    expect((await gateway.call('DELETE', path, { headers: { 'if-match': `"${made.version}"` } })).status).toBe(409);
    expect(
      (await gateway.call('PATCH', path, { body: { name: 'x' }, headers: { 'if-match': 'nonsense' } })).status,
    ).toBe(400);
    expect((await gateway.call('PATCH', path, { body: { name: 'x' }, headers: { 'if-match': '*' } })).status).toBe(200);
  });

  it('CFG-1: keys of the file are listed as such, work, and cannot be changed here', async () => {
    const { json } = await gateway.call('GET', '/api/keys/key_file_ci');
    expect(json).toMatchObject({
      name: 'ci',
      source: 'file',
      team: 'research',
      tags: ['t'],
      metadata: { a: 'b' },
      key_hint: null,
      status: 'active',
    });
    expect(await models('a-key-of-the-file-0123456789')).toBe(200);
    for (const method of ['PATCH', 'DELETE']) {
      const refused = await gateway.call(
        method,
        '/api/keys/key_file_ci',
        method === 'PATCH' ? { body: { name: 'x' } } : {},
      );
      expect([refused.status, refused.json.code]).toEqual([409, 'file_owned']);
    }
  });

  it('CFG-5: lists are paged by cursor; nothing is skipped or shown twice', async () => {
    for (let i = 0; i < 5; i++) await gateway.call('POST', '/api/keys', { body: { name: `page-${i}` } });
    const all = (await gateway.call('GET', '/api/keys?limit=200')).json;
    expect(all.nextCursor).toBeNull();
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { items: { id: string }[]; nextCursor: string | null } = (
        await gateway.call('GET', `/api/keys?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      ).json;
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(all.items.map((item: { id: string }) => item.id));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain('key_file_made');
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=abc', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=%00', 'cursor'],
    ['cursor=***', 'cursor'],
    ['cursor=', 'cursor'],
    ['unknown=1', 'unknown'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
  ])('bad query %s is a 400 that names the parameter', async (query, path) => {
    const answer = await gateway.call('GET', `/api/keys?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  const body = (fields: object): object => ({ name: 'bad', ...fields });
  const budget = (fields: object): object => body({ budgets: [{ limit_usd: 1, period: 'daily', ...fields }] });
  it.each([
    ['no name', {}, ['name']],
    ['an empty name', body({ name: '' }), ['name']],
    ['a name of blanks', body({ name: '   ' }), ['name']],
    ['a line end in the name', body({ name: 'a\nb' }), ['name']],
    ['NUL in the name', body({ name: 'a\u0000b' }), ['name']],
    ['a bidirectional mark in the name', body({ name: 'a\u202eb' }), ['name']],
    ['a lone surrogate in the name', body({ name: 'a\ud800b' }), ['name']],
    ['a name of 129 characters', body({ name: 'x'.repeat(129) }), ['name']],
    ['a number for a name', body({ name: 5 }), ['name']],
    ['an object for a name', body({ name: { a: 'x' } }), ['name']],
    ['null for a name', body({ name: null }), ['name']],
    ['models that are no list', body({ models: 'gpt-*' }), ['models']],
    ['an empty list of models', body({ models: [] }), ['models']],
    ['null for models', body({ models: null }), ['models']],
    ['10,000 models', body({ models: Array.from({ length: 10_000 }, (_, i) => `m${i}`) }), ['models']],
    ['a number among the models', body({ models: ['a', 5] }), ['models']],
    ['a list within the models', body({ models: [['a']] }), ['models']],
    ['a blank in a model', body({ models: ['a b'] }), ['models']],
    ['a route without slash', body({ routes: ['v1/*'] }), ['routes']],
    ['an empty tag', body({ tags: [''] }), ['tags']],
    ['65 tags', body({ tags: Array.from({ length: 65 }, (_, i) => `t${i}`) }), ['tags']],
    ['a past expiry', body({ expires_at: '2001-01-01T00:00:00Z' }), ['expires_at']],
    ['an expiry without zone', body({ expires_at: '2099-01-01T00:00:00' }), ['expires_at']],
    ['an expiry that is a date', body({ expires_at: '2099-01-01' }), ['expires_at']],
    ['the 31st of February', body({ expires_at: '2099-02-31T00:00:00Z' }), ['expires_at']],
    ['an expiry in words', body({ expires_at: 'tomorrow' }), ['expires_at']],
    ['an expiry as a number', body({ expires_at: 4102444800000 }), ['expires_at']],
    ['the year 10000', body({ expires_at: '+10000-01-01T00:00:00Z' }), ['expires_at']],
    ['metadata that is a list', body({ metadata: ['a'] }), ['metadata']],
    ['a number in metadata', body({ metadata: { a: 1 } }), ['metadata']],
    ['an object in metadata', body({ metadata: { a: {} } }), ['metadata']],
    ['a prototype name in metadata', body({ metadata: { toString: 'x' } }), ['metadata.toString']],
    ['NUL in metadata', body({ metadata: { a: '\u0000' } }), ['metadata']],
    ['an unknown field', body({ colour: 'red' }), ['colour']],
    ['a field in the wrong style', body({ expiresAt: '2099-01-01T00:00:00Z' }), ['expiresAt']],
    ['a field of the prototype', body({ toString: 'x', hasOwnProperty: 1, valueOf: [] }), ['toString']],
    ['an own secret', body({ key: 'sk-mine' }), ['key']],
    ['an id', body({ id: 'key_1' }), ['id']],
    ['an organisation', body({ orgId: 'org_other' }), ['orgId']],
    ['a status', body({ status: 'active' }), ['status']],
    ['a cache setting, which nothing would act on yet', body({ cache: { semantic: true } }), ['cache']],
    ['a line end in a tag', body({ tags: ['a\nb'] }), ['tags']],
    ['a | in a tag', body({ tags: ['a|b'] }), ['tags']],
    ['a | in the name', body({ name: 'a|b' }), ['name']],
    ['a tag twice', body({ tags: ['a', 'a'] }), ['tags']],
    ['a team that does not exist', body({ team: 'nobody' }), ['team']],
    ['a user that does not exist', body({ user: 'nobody' }), ['user']],
    ['an app that does not exist', body({ app: 'nobody' }), ['app']],
    ['a number for a team', body({ team: 5 }), ['team']],
    ['a | in a team', body({ team: 'a|b' }), ['team']],
    ['models beyond those of the team', body({ team: 'research', models: ['gpt-5', 'gemini-*'] }), ['models[1]']],
    ['budgets that are no list', body({ budgets: { limit_usd: 1 } }), ['budgets']],
    ['a budget that is no object', body({ budgets: [5] }), ['budgets[0]']],
    ['a budget that is null', body({ budgets: [null] }), ['budgets[0]']],
    ['a budget without a limit', budget({ limit_usd: undefined }), ['budgets[0].limit_usd']],
    ['a budget without a period', budget({ period: undefined }), ['budgets[0].period']],
    ['a negative budget', budget({ limit_usd: -1 }), ['budgets[0].limit_usd']],
    ['a budget of nothing', budget({ limit_usd: 0 }), ['budgets[0].limit_usd']],
    ['a budget above $9 M', budget({ limit_usd: 9_000_000.01 }), ['budgets[0].limit_usd']],
    ['an absurd budget', budget({ limit_usd: 1e300 }), ['budgets[0].limit_usd']],
    ['a budget in words', budget({ limit_usd: '10' }), ['budgets[0].limit_usd']],
    ['a budget finer than a nano-dollar', budget({ limit_usd: 0.00000000015 }), ['budgets[0].limit_usd']],
    ['an unknown period', budget({ period: 'hourly' }), ['budgets[0].period']],
    ['an unknown zone', budget({ time_zone: 'Mars/Olympus' }), ['budgets[0].time_zone']],
    ['a fixed offset for a zone', budget({ time_zone: '+02:00' }), ['budgets[0].time_zone']],
    ['an unknown week start', budget({ week_start: 'someday' }), ['budgets[0].week_start']],
    ['week start 0', budget({ week_start: 0 }), ['budgets[0].week_start']],
    ['an unknown mode', budget({ mode: 'hard' }), ['budgets[0].mode']],
    ['a warning at nothing', budget({ warn_at: [0] }), ['budgets[0].warn_at']],
    ['a warning in percent', budget({ warn_at: [80] }), ['budgets[0].warn_at']],
    ['a warning that is no list', budget({ warn_at: 0.8 }), ['budgets[0].warn_at']],
    ['an unknown field of a budget', budget({ currency: 'EUR' }), ['budgets[0].currency']],
    [
      'two budgets of one period',
      body({
        budgets: [
          { limit_usd: 1, period: 'daily' },
          { limit_usd: 2, period: 'daily', mode: 'strict' },
        ],
      }),
      ['budgets'],
    ],
    [
      'nine budgets',
      body({ budgets: Array.from({ length: 9 }, () => ({ limit_usd: 1, period: 'daily' })) }),
      ['budgets'],
    ],
    ['limits that are a list', body({ limits: [] }), ['limits']],
    ['limits that are a number', body({ limits: 5 }), ['limits']],
    ['a limit of nothing', body({ limits: { rpm: 0 } }), ['limits.rpm']],
    ['a negative limit', body({ limits: { tpm: -5 } }), ['limits.tpm']],
    ['a fraction for a limit', body({ limits: { max_parallel: 1.5 } }), ['limits.max_parallel']],
    ['an absurd limit', body({ limits: { rpm: 1e20 } }), ['limits.rpm']],
    ['an unknown limit', body({ limits: { rps: 1 } }), ['limits.rps']],
    ['several faults at once', { name: 7, models: 'x', colour: 1 }, ['name', 'models', 'colour']],
  ])('KEY-1: %s: 400, every field at fault is named, nothing is made', async (_what, sent, paths) => {
    const before = (await gateway.call('GET', '/api/keys?limit=1')).json.items[0].id;
    const answer = await gateway.call('POST', '/api/keys', { body: sent });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.json.code).toBe('invalid_request');
    expect(answer.json.errors.map((error: { path: string }) => error.path)).toEqual(expect.arrayContaining(paths));
    expect(answer.text.length).toBeLessThan(12_000);
    expect((await gateway.call('GET', '/api/keys?limit=1')).json.items[0].id).toBe(before);
    const { id } = (await gateway.call('POST', '/api/keys', { body: { name: 'target' } })).json;
    if (paths.includes('name') && !('name' in sent)) return; // PATCH needs no name
    expect((await gateway.call('PATCH', `/api/keys/${id}`, { body: sent })).status).toBe(400);
  });

  it.each(['__proto__', 'constructor', 'prototype'])('the field name %s is refused at any depth', async (name) => {
    for (const text of [
      `{"name":"x","${name}":{}}`,
      `{"name":"x","metadata":{"a":{"${name}":1}}}`,
      `{"name":"x","\\u005f${name.slice(1)}":1}`,
    ]) {
      const answer = await gateway.call('POST', '/api/keys', { body: text });
      expect(answer.status).toBe(400);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['not JSON', '{"name": ', 'invalid_json', 400],
    ['a list', '[{"name":"x"}]', 'invalid_request', 400],
    ['a string', '"x"', 'invalid_request', 400],
    ['null', 'null', 'invalid_request', 400],
    ['a number beyond all', '{"name":"x","budgets":[{"limit_usd":1e999,"period":"daily"}]}', 'invalid_request', 400],
    ['deep nesting', `{"name":"x","metadata":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'json_too_deep', 400],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'invalid_json', 400],
    ['300 KiB', JSON.stringify({ name: 'x'.repeat(300 * 1024) }), 'body_too_large', 413],
    [
      'many values',
      JSON.stringify({ name: 'x', tags: Array.from({ length: 30_000 }, () => 0) }),
      'invalid_request',
      400,
    ],
  ])('a body that is %s is refused clearly', async (_what, text, code, status) => {
    const answer = await gateway.call('POST', '/api/keys', { body: text });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.json.requestId).toMatch(/^req_/);
    expect(answer.headers.get('x-request-id')).toBe(answer.json.requestId);
  });

  it.each([
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415],
    [{ 'content-encoding': 'gzip' }, 415],
    [{ 'content-type': 'application/json; charset=utf-8' }, 201],
    [{ 'content-type': 'application/merge-patch+json' }, 201],
  ])('a body sent with %j is answered %d', async (headers, status) => {
    const answer = await gateway.call('POST', '/api/keys', { body: { name: 'typed' }, headers });
    expect(answer.status).toBe(status);
  });

  it.each(['key_nothing', 'key_01234567-89ab-7cde-8f01-23456789abcd', "' OR 1=1 --", 'x'.repeat(900), '%F0%9F%92%A9'])(
    'an id that is not there (%s) is 404 for reading, changing and revoking',
    async (id) => {
      const path = `/api/keys/${encodeURIComponent(decodeURIComponent(id))}`;
      expect((await gateway.call('GET', path)).status).toBe(404);
      expect((await gateway.call('PATCH', path, { body: { name: 'x' } })).status).toBe(404);
      expect((await gateway.call('DELETE', path)).status).toBe(404);
    },
  );

  it('an empty body is a 400 that asks for the name', async () => {
    const answer = await gateway.call('POST', '/api/keys');
    expect(answer.status).toBe(400);
    expect(answer.json.errors[0].path).toBe('name');
  });
});
