import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAdminGateway, type AdminGateway, type Answer } from './admin-gateway.js';

const KINDS = [
  ['team', 'teams'],
  ['user', 'users'],
  ['app', 'apps'],
] as const;

describe('organisations, teams, users, apps and tags', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway({
      teams: { declared: { budgets: [{ limit_usd: 100, period: 'monthly', time_zone: 'Europe/Berlin' }] } },
      users: { 'ada@example.com': { limits: { rpm: 7 } } },
      tags: { nightly: { budgets: [{ limit_usd: 1, period: 'daily' }] } },
      keys: [{ name: 'ci', key: 'a-key-of-the-file-0123456789', team: 'made-later' }],
    });
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  const call: AdminGateway['call'] = (...args) => gateway.call(...args);
  const models = async (key: string): Promise<number> => {
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    await answer.text();
    return answer.status;
  };
  const paths = (answer: Answer): string[] => answer.json.errors.map((error: { path: string }) => error.path);

  describe.each(KINDS)('a %s', (kind, plural) => {
    it('CFG-5: is made in the shape of the file, listed, found by id and by name, changed and deleted', async () => {
      const wish = {
        name: `Ünïted ${kind}`,
        display_name: 'Shown so',
        models: ['gpt-*'],
        budgets: [{ limit_usd: 100, period: 'monthly', time_zone: 'Europe/Berlin', mode: 'clamp' }],
        limits: { rpm: 60 },
        metadata: { cost: '12' },
      };
      const made = await call('POST', `/api/${plural}`, { body: wish });
      expect(made.status).toBe(201);
      expect(made.json).toEqual({
        ...wish,
        id: expect.stringMatching(new RegExp(`^${kind}_[0-9a-f-]{36}$`)),
        budgets: [{ ...wish.budgets[0], week_start: null, warn_at: [] }],
        limits: { rpm: 60, tpm: null, max_parallel: null },
        chain: null,
        source: 'api',
        version: expect.any(Number),
        created_at: expect.any(String),
        updated_at: expect.any(String),
      });
      expect(made.headers.get('etag')).toBe(`"${made.json.version}"`);
      const path = `/api/${plural}/${made.json.id}`;
      for (const at of [path, `/api/${plural}/${encodeURIComponent(wish.name)}`]) {
        expect((await call('GET', at)).json).toEqual(made.json);
      }
      expect((await call('GET', `/api/${plural}`)).json.items).toContainEqual(made.json);

      const changed = await call('PATCH', path, {
        body: { budgets: [], limits: null, display_name: null },
        headers: { 'if-match': `"${made.json.version}"` },
      });
      expect(changed.json).toMatchObject({
        name: wish.name,
        display_name: null,
        budgets: [],
        models: ['gpt-*'],
        limits: { rpm: null, tpm: null, max_parallel: null },
        metadata: { cost: '12' },
      });
      const late = await call('PATCH', path, { body: {}, headers: { 'if-match': `"${made.json.version}"` } });
      expect([late.status, late.json.code]).toEqual([409, 'conflict']);

      const gone = await call('DELETE', `${path}?wait=applied`);
      expect([gone.status, gone.json, gone.headers.get('x-smartflow-applied')]).toEqual([
        200,
        { blocked_keys: 0 },
        '1/1',
      ]);
      expect((await call('GET', path)).status).toBe(404);
      expect((await call('DELETE', path)).status).toBe(404);
    });

    it('there is one of a name, whatever its case; a deleted one makes room', async () => {
      const name = `Once-${kind}`;
      const { json } = await call('POST', `/api/${plural}`, { body: { name } });
      for (const again of [name, name.toUpperCase()]) {
        const second = await call('POST', `/api/${plural}`, { body: { name: again } });
        expect([second.status, second.json.code]).toEqual([409, 'conflict']);
      }
      await call('DELETE', `/api/${plural}/${json.id}`);
      expect((await call('POST', `/api/${plural}`, { body: { name } })).status).toBe(201);
    });

    it('its name is what keys, budgets and reports refer to: it stays', async () => {
      const { json } = await call('POST', `/api/${plural}`, { body: { name: `fixed-${kind}` } });
      const answer = await call('PATCH', `/api/${plural}/${json.id}`, { body: { name: 'other' } });
      expect([answer.status, paths(answer)]).toEqual([400, ['name']]);
    });

    it('KEY-1: keys belong to it; it cannot be deleted under them, unless they are blocked with it', async () => {
      const name = `owning-${kind}`;
      const { json: owner } = await call('POST', `/api/${plural}`, { body: { name } });
      const keys = [];
      for (let i = 0; i < 3; i++) {
        keys.push((await call('POST', '/api/keys', { body: { name: `k${i}`, [kind]: name } })).json);
      }
      await call('DELETE', `/api/keys/${keys[2].id}`); // a revoked key needs nobody
      const refused = await call('DELETE', `/api/${plural}/${owner.id}`);
      expect([refused.status, refused.json.code]).toEqual([409, 'conflict']);
      expect(refused.json.detail).toContain('2 keys belong');
      expect(await models(keys[0].key)).toBe(200);

      const before = (await call('GET', '/api/audit?limit=1')).json.items[0].seq;
      const gone = await call('DELETE', `/api/${plural}/${owner.id}?cascade=block`);
      expect([gone.status, gone.json]).toEqual([200, { blocked_keys: 2 }]);
      expect([await models(keys[0].key), await models(keys[1].key)]).toEqual([401, 401]);
      const blocked = (await call('GET', `/api/keys/${keys[0].id}`)).json;
      expect(blocked).toMatchObject({ status: 'blocked', [kind]: name, blocked_at: expect.any(String) });
      expect(blocked.blocked_reason).toContain('was deleted');
      expect((await call('GET', '/api/audit?limit=1')).json.items[0].seq).toBe(before + 3);

      const unblocked = await call('POST', `/api/keys/${keys[0].id}/unblock`);
      expect([unblocked.status, unblocked.json.detail]).toEqual([409, expect.stringContaining('does not exist')]);
      await call('PATCH', `/api/keys/${keys[0].id}`, { body: { [kind]: null } });
      expect((await call('POST', `/api/keys/${keys[0].id}/unblock`)).json.status).toBe('active');
      expect(await models(keys[0].key)).toBe(200);
    });
  });

  it('two at the same time: a team is deleted or gets a key, never both', async () => {
    for (let round = 0; round < 8; round++) {
      const name = `raced-${round}`;
      const { json: team } = await call('POST', '/api/teams', { body: { name } });
      const [made, gone] = await Promise.all([
        call('POST', '/api/keys', { body: { name: 'racer', team: name } }),
        call('DELETE', `/api/teams/${team.id}`),
      ]);
      expect([
        [201, 409],
        [400, 200],
      ]).toContainEqual([made.status, gone.status]);
      if (made.status === 201) await call('DELETE', `/api/teams/${team.id}?cascade=block`);
    }
  });

  it('KEY-1: what a team may not use, its keys may not either, also when the team is restricted later', async () => {
    const { json: team } = await call('POST', '/api/teams', { body: { name: 'narrow' } });
    const { json: key } = await call('POST', '/api/keys', { body: { name: 'wide', team: 'narrow' } });
    const listed = async (): Promise<string[]> => {
      const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key.key}` } });
      return ((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await listed()).toContain('demo/story');
    await call('PATCH', `/api/teams/${team.id}`, { body: { models: ['demo/echo'] } });
    expect(await listed()).toEqual(['demo/echo']);
    const beyond = await call('PATCH', `/api/keys/${key.id}`, { body: { models: ['demo/echo', 'demo/*'] } });
    expect([beyond.status, paths(beyond)]).toEqual([400, ['models[1]']]);
    expect((await call('PATCH', `/api/keys/${key.id}`, { body: { models: ['demo/echo'] } })).status).toBe(200);
  });

  it('CFG-1: what the file declares is listed as such, usable by keys, and changed only there', async () => {
    const team = await call('GET', '/api/teams/declared');
    expect(team.json).toMatchObject({
      id: 'team_file_declared',
      source: 'file',
      version: 0,
      budgets: [{ limit_usd: 100, period: 'monthly', time_zone: 'Europe/Berlin', mode: 'clamp', warn_at: [] }],
    });
    expect((await call('GET', '/api/users/user_file_ada@example.com')).json.limits.rpm).toBe(7);
    expect((await call('GET', '/api/tags/nightly')).json.budgets).toHaveLength(1);
    for (const id of ['declared', 'team_file_declared']) {
      const changed = await call('PATCH', `/api/teams/${id}`, { body: { display_name: 'x' } });
      const gone = await call('DELETE', `/api/teams/${id}`);
      expect([changed.json.code, gone.json.code]).toEqual(['file_owned', 'file_owned']);
    }
    expect((await call('POST', '/api/teams', { body: { name: 'DECLARED' } })).status).toBe(409);
    const key = await call('POST', '/api/keys', { body: { name: 'x', team: 'declared', user: 'ada@example.com' } });
    expect(key.status).toBe(201);
  });

  it('KEY-2: a key of the file is refused until its team exists, which then cannot be deleted here at all', async () => {
    expect(await models('a-key-of-the-file-0123456789')).toBe(403);
    expect((await call('GET', '/api/keys/key_file_ci')).json.problem).toContain('team "made-later"');
    const { json: team } = await call('POST', '/api/teams', { body: { name: 'made-later' } });
    expect(await models('a-key-of-the-file-0123456789')).toBe(200);
    expect((await call('GET', '/api/keys/key_file_ci')).json.problem).toBeNull();
    expect((await call('DELETE', `/api/teams/${team.id}`)).json.detail).toContain('One key belongs');
    const cascaded = await call('DELETE', `/api/teams/${team.id}?cascade=block`);
    expect([cascaded.status, cascaded.json.code]).toEqual([409, 'file_owned']);
  });

  it('KEY-2: no owner gets a hard budget with which a call could not be charged any more; the keys are named', async () => {
    const tags = Array.from({ length: 16 }, (_, n) => `pile-${n}`);
    const two = [
      { limit_usd: 5, period: 'weekly' },
      { limit_usd: 5, period: 'daily' },
    ];
    for (const name of tags) await call('POST', '/api/tags', { body: { name, budgets: two } });
    await call('POST', '/api/teams', { body: { name: 'piled' } });
    const { json: key } = await call('POST', '/api/keys', { body: { name: 'pile-key', team: 'piled', tags } });
    expect(await models(key.key)).toBe(200);
    const raised = await call('PATCH', '/api/teams/piled', {
      body: { budgets: [{ limit_usd: 1, period: 'monthly' }] },
    });
    expect([raised.status, raised.json.detail]).toEqual([409, expect.stringContaining('"pile-key"')]);
    const ofAll = await call('PATCH', '/api/orgs/org_default', { body: { budgets: two } });
    expect([ofAll.status, ofAll.json.detail]).toEqual([409, expect.stringContaining('"pile-key"')]);
    const soft = { limit_usd: 1, period: 'monthly', mode: 'soft' };
    expect((await call('PATCH', '/api/teams/piled', { body: { budgets: [soft] } })).status).toBe(200);
    expect(await models(key.key)).toBe(200);
    await call('DELETE', `/api/keys/${key.id}`);
  });

  it('KEY-2: a tag with a hard budget is not deleted under keys, unless they are blocked with it', async () => {
    await call('POST', '/api/tags', { body: { name: 'capped', budgets: [{ limit_usd: 5, period: 'weekly' }] } });
    const { json: key } = await call('POST', '/api/keys', { body: { name: 'capped-key', tags: ['capped'] } });
    const refused = await call('DELETE', '/api/tags/capped');
    expect([refused.status, refused.json.detail]).toEqual([
      409,
      expect.stringContaining('One key belongs to this tag'),
    ]);
    expect((await call('DELETE', '/api/tags/capped?cascade=block')).json).toEqual({ blocked_keys: 1 });
    expect(await models(key.key)).toBe(401);
    expect((await call('GET', '/api/tags/capped')).status).toBe(404);
  });

  it('a tag has budgets and nothing else, and can go when they are soft', async () => {
    for (const field of ['models', 'limits']) {
      const wish = { name: 'labelled', [field]: field === 'models' ? ['a'] : { rpm: 1 } };
      const answer = await call('POST', '/api/tags', { body: wish });
      expect([answer.status, paths(answer)]).toEqual([400, [field]]);
    }
    const made = await call('POST', '/api/tags', {
      body: { name: 'labelled', budgets: [{ limit_usd: 5, period: 'weekly', week_start: 7, mode: 'soft' }] },
    });
    expect(made.json.budgets).toEqual([
      { limit_usd: 5, period: 'weekly', time_zone: null, week_start: 'sunday', mode: 'soft', warn_at: [] },
    ]);
    await call('POST', '/api/keys', { body: { name: 'tagged', tags: ['labelled'] } });
    expect((await call('DELETE', '/api/tags/labelled')).status).toBe(200);
  });

  it('KEY-2: the organisation has a time zone, a week start and budgets', async () => {
    const before = await call('GET', '/api/orgs/org_default');
    expect(before.json).toMatchObject({
      id: 'org_default',
      time_zone: 'UTC',
      week_start: 'monday',
      budgets: [],
      version: 0,
      source: 'api',
    });
    const changed = await call('PATCH', '/api/orgs/org_default', {
      body: { time_zone: 'Asia/Kolkata', week_start: 'sunday', budgets: [{ limit_usd: 5000, period: 'monthly' }] },
      headers: { 'if-match': '"0"' },
    });
    expect(changed.json).toMatchObject({ time_zone: 'Asia/Kolkata', week_start: 'sunday' });
    expect((await call('GET', '/api/orgs')).json).toEqual({ items: [changed.json], nextCursor: null });
    const late = await call('PATCH', '/api/orgs/org_default', { body: {}, headers: { 'if-match': '"0"' } });
    expect(late.status).toBe(409);
    for (const [field, value] of [
      ['time_zone', 'Nowhere'],
      ['time_zone', null],
      ['week_start', 'someday'],
      ['models', ['a']],
      ['name', 'x'],
    ] as const) {
      const answer = await call('PATCH', '/api/orgs/org_default', { body: { [field]: value } });
      expect([answer.status, paths(answer)]).toEqual([400, [field]]);
    }
    for (const method of ['GET', 'PATCH']) {
      expect((await call(method, '/api/orgs/org_other', method === 'GET' ? {} : { body: {} })).status).toBe(404);
    }
    expect((await call('POST', '/api/orgs', { body: { name: 'x' } })).status).toBe(405);
  });

  it.each([
    ['no name', {}, ['name']],
    ['a line end in the name', { name: 'a\nb' }, ['name']],
    ['a | in the name', { name: 'a|b' }, ['name']],
    ['a slash in the name', { name: 'a/b' }, ['name']],
    ['a percent sign in the name', { name: 'a%2fb' }, ['name']],
    ['a blank at the end of the name', { name: 'a ' }, ['name']],
    ['a bidirectional mark in the name', { name: 'a\u202eb' }, ['name']],
    ['a name of 129 characters', { name: 'x'.repeat(129) }, ['name']],
    ['an empty list of models', { name: 'a', models: [] }, ['models']],
    ['a negative budget', { name: 'a', budgets: [{ limit_usd: -1, period: 'daily' }] }, ['budgets[0].limit_usd']],
    ['an unknown period', { name: 'a', budgets: [{ limit_usd: 1, period: 'yearly' }] }, ['budgets[0].period']],
    ['limits of nothing', { name: 'a', limits: { max_parallel: 0 } }, ['limits.max_parallel']],
    ['members', { name: 'a', members: ['x'] }, ['members']],
    ['a source', { name: 'a', source: 'file' }, ['source']],
  ])('bad input for a team: %s is a 400 that names the field', async (_what, body, at) => {
    const answer = await call('POST', '/api/teams', { body });
    expect(answer.status).toBe(400);
    expect(paths(answer)).toEqual(expect.arrayContaining(at));
  });

  it.each(['cascade=delete', 'cascade=', 'wait=never', 'force=1'])('bad query %s is refused', async (query) => {
    expect((await call('DELETE', `/api/teams/team_x?${query}`)).status).toBe(400);
  });

  it('CFG-5: lists are paged by cursor; nothing is skipped or shown twice', async () => {
    for (let i = 0; i < 5; i++) await call('POST', '/api/apps', { body: { name: `paged-${i}` } });
    const all = (await call('GET', '/api/apps?limit=200')).json.items.map((item: { id: string }) => item.id);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Answer['json'] = (await call('GET', `/api/apps?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`))
        .json;
      seen.push(...page.items.map((item: { id: string }) => item.id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(all);
  });

  it('every change has its row in the audit log', async () => {
    const { json } = await call('POST', '/api/teams', { body: { name: 'audited' } });
    await call('PATCH', `/api/teams/${json.id}`, { body: { limits: { rpm: 5 } } });
    await call('DELETE', `/api/teams/${json.id}`);
    const rows = (await call('GET', '/api/audit?limit=3')).json.items;
    expect(rows.map((row: { action: string }) => row.action)).toEqual(['team.delete', 'team.update', 'team.create']);
    expect(JSON.stringify(rows[1])).toContain('"rpm":5');
    expect((await call('GET', '/api/audit/verify')).json.brokenAt).toBeNull();
  });
});
