import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../harness.js';
import { startAdminGateway, type AdminGateway, type Answer } from './admin-gateway.js';

describe('what can be done with keys', () => {
  let gateway: AdminGateway;
  beforeAll(async () => {
    gateway = await startAdminGateway({
      keys: [{ name: 'ci', key: 'a-key-of-the-file-0123456789', tags: ['t'], limits: { rpm: 9 } }],
      teams: { research: {} },
    });
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  const call: AdminGateway['call'] = (...args) => gateway.call(...args);
  const models = async (key: string): Promise<number> => {
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    await answer.text();
    return answer.status;
  };
  const make = async (fields: object = {}): Promise<Answer['json']> =>
    (await call('POST', '/api/keys', { body: { name: 'made', ...fields } })).json;
  const paths = (answer: Answer): string[] => answer.json.errors.map((error: { path: string }) => error.path);

  it('KEY-1: rotate gives a new secret and stops the old one at once', async () => {
    const key = await make({ team: 'research', limits: { rpm: 5 } });
    const rotated = await call('POST', `/api/keys/${key.id}/rotate`);
    expect(rotated.status).toBe(200);
    expect(rotated.json).toMatchObject({
      id: key.id,
      team: 'research',
      limits: { rpm: 5 },
      rotated_at: expect.any(String),
      previous_key_until: null,
      key: expect.stringMatching(/^sk-sf-[0-9A-Za-z]{57}$/),
    });
    expect(rotated.json.key_hint).toBe(rotated.json.key.slice(0, 14));
    expect([await models(key.key), await models(rotated.json.key)]).toEqual([401, 200]);
  });

  it('KEY-1: with grace both secrets work until it ends, and only the last two', async () => {
    const key = await make();
    const first = (await call('POST', `/api/keys/${key.id}/rotate`, { body: { grace_s: 3600 } })).json;
    expect(Date.parse(first.previous_key_until)).toBeGreaterThan(Date.now() + 3_500_000);
    expect([await models(key.key), await models(first.key)]).toEqual([200, 200]);
    const second = (await call('POST', `/api/keys/${key.id}/rotate`, { body: { grace_s: 2 } })).json;
    expect([await models(key.key), await models(first.key), await models(second.key)]).toEqual([401, 200, 200]);
    await eventually('the grace ends', 5_000, async () => ((await models(first.key)) === 401 ? true : null));
    expect(await models(second.key)).toBe(200);
    await call('POST', `/api/keys/${key.id}/rotate`, { body: { grace_s: 3600 } });
    await call('POST', `/api/keys/${key.id}/block`);
    expect(await models(second.key)).toBe(401);
    expect((await call('DELETE', `/api/keys/${key.id}`)).json.previous_key_until).toBeNull();
    expect((await call('POST', `/api/keys/${key.id}/rotate`)).status).toBe(409);
  });

  it.each([-1, 1.5, '60', 7_776_001, null, Number.MAX_SAFE_INTEGER])(
    'a grace of %p is refused or means none',
    async (graceS) => {
      const key = await make();
      const answer = await call('POST', `/api/keys/${key.id}/rotate`, { body: { grace_s: graceS } });
      if (graceS === null) expect(answer.json.previous_key_until).toBeNull();
      else expect([answer.status, new Set(paths(answer))]).toEqual([400, new Set(['grace_s'])]);
    },
  );

  it('KEY-1: a blocked key stops with the answer and works again when it is unblocked', async () => {
    const key = await make();
    const blocked = await call('POST', `/api/keys/${key.id}/block?wait=applied`, { body: { reason: 'leaked?' } });
    expect(blocked.headers.get('x-smartflow-applied')).toBe('1/1');
    expect(blocked.json).toMatchObject({
      status: 'blocked',
      blocked_reason: 'leaked?',
      blocked_at: expect.any(String),
    });
    expect(await models(key.key)).toBe(401);
    const again = await call('POST', `/api/keys/${key.id}/block`, { body: { reason: 'other' } });
    expect([again.json.blocked_reason, again.json.version]).toEqual(['leaked?', blocked.json.version]);
    expect((await call('PATCH', `/api/keys/${key.id}`, { body: { name: 'still' } })).status).toBe(200);
    const unblocked = await call('POST', `/api/keys/${key.id}/unblock`);
    expect(unblocked.json).toMatchObject({ status: 'active', blocked_reason: null, blocked_at: null });
    expect(await models(key.key)).toBe(200);
    const bad = await call('POST', `/api/keys/${key.id}/block`, { body: { reason: 'a\nb' } });
    expect([bad.status, paths(bad)]).toEqual([400, ['reason']]);
  });

  it('KEY-1: a copy has the settings and a secret of its own; what is given replaces what the other has', async () => {
    const wish = {
      team: 'research',
      models: ['demo/*'],
      routes: ['/v1/*'],
      tags: ['a'],
      budgets: [{ limit_usd: 3, period: 'daily' }],
      limits: { tpm: 100 },
      metadata: { a: 'b' },
    };
    const key = await make(wish);
    const copy = await call('POST', `/api/keys/${key.id}/clone`);
    expect(copy.status).toBe(201);
    const { team, models: allowed, routes, tags, budgets, limits, metadata } = key;
    expect(copy.json).toMatchObject({
      name: 'made (copy)',
      team,
      models: allowed,
      routes,
      tags,
      budgets,
      limits,
      metadata,
    });
    expect(copy.json.id).not.toBe(key.id);
    expect(copy.json.key).not.toBe(key.key);
    expect([await models(copy.json.key), await models(key.key)]).toEqual([200, 200]);
    const named = await call('POST', `/api/keys/${key.id}/clone`, { body: { name: 'other', team: null, tags: [] } });
    expect(named.json).toMatchObject({ name: 'other', team: null, tags: [], limits: { tpm: 100 } });
    const ofFile = await call('POST', '/api/keys/key_file_ci/clone', { body: { name: 'like ci' } });
    expect(ofFile.json).toMatchObject({ source: 'api', tags: ['t'], limits: { rpm: 9 } });
    const bad = await call('POST', `/api/keys/${key.id}/clone`, { body: { team: 'nobody' } });
    expect([bad.status, paths(bad)]).toEqual([400, ['team']]);
  });

  it('CFG-1: a key of the file can only be changed there', async () => {
    for (const action of ['rotate', 'block', 'unblock']) {
      const answer = await call('POST', `/api/keys/key_file_ci/${action}`);
      expect([answer.status, answer.json.code]).toEqual([409, 'file_owned']);
    }
  });

  it.each(['rotate', 'block', 'unblock', 'clone'])('%s of a key that is not there is 404', async (action) => {
    expect((await call('POST', `/api/keys/key_nothing/${action}`)).status).toBe(404);
  });

  it('KEY-1: many keys are made, blocked, unblocked and revoked at once', async () => {
    const wishes = Array.from({ length: 120 }, (_, n) => ({ name: `bulk-${n}`, tags: ['bulk'] }));
    const made = await call('POST', '/api/keys/bulk?wait=applied', { body: { action: 'create', keys: wishes } });
    expect([made.status, made.headers.get('x-smartflow-applied')]).toEqual([200, '1/1']);
    expect(made.json.items.map((item: { name: string }) => item.name)).toEqual(wishes.map(({ name }) => name));
    const secrets: string[] = made.json.items.map((item: { key: string }) => item.key);
    expect(new Set(secrets).size).toBe(120);
    expect([await models(secrets[0] as string), await models(secrets[119] as string)]).toEqual([200, 200]);
    const ids: string[] = made.json.items.map((item: { id: string }) => item.id);
    for (const [action, status, works] of [
      ['block', 'blocked', 401],
      ['unblock', 'active', 200],
      ['delete', 'revoked', 401],
    ] as const) {
      const answer = await call('POST', '/api/keys/bulk', {
        body: { action, ids, ...(action === 'block' ? { reason: 'x' } : {}) },
      });
      expect(answer.status).toBe(200);
      expect(new Set(answer.json.items.map((item: { status: string }) => item.status))).toEqual(new Set([status]));
      expect(answer.text).not.toContain(secrets[0] as string);
      expect([await models(secrets[0] as string), await models(secrets[119] as string)]).toEqual([works, works]);
    }
  }, 30_000);

  it('KEY-1: all or none: every fault is named and nothing is made or changed', async () => {
    const before = (await call('GET', '/api/keys?limit=1')).json.items[0].id;
    const wishes = [
      { name: 'good' },
      { name: 'bad team', team: 'nobody' },
      { name: 'good too' },
      { name: 'bad user', user: 'x' },
    ];
    const refused = await call('POST', '/api/keys/bulk', { body: { action: 'create', keys: wishes } });
    expect([refused.status, paths(refused)]).toEqual([400, ['keys[1].team', 'keys[3].user']]);
    const shapes = await call('POST', '/api/keys/bulk', {
      body: {
        action: 'create',
        keys: [{ name: 'a' }, { nam: 'b' }, 5, { name: 'c', budgets: [{ limit_usd: -1, period: 'daily' }] }],
      },
    });
    expect(shapes.status).toBe(400);
    expect(paths(shapes)).toEqual(
      expect.arrayContaining(['keys[1].nam', 'keys[1].name', 'keys[2]', 'keys[3].budgets[0].limit_usd']),
    );
    expect((await call('GET', '/api/keys?limit=1')).json.items[0].id).toBe(before);

    const [a, b] = [await make(), await make()];
    await call('DELETE', `/api/keys/${b.id}`);
    const ids = [a.id, 'key_nothing', 'key_file_ci', a.id, b.id];
    const blocked = await call('POST', '/api/keys/bulk', { body: { action: 'block', ids } });
    expect([blocked.status, paths(blocked)]).toEqual([400, ['ids[1]', 'ids[2]', 'ids[3]', 'ids[4]']]);
    expect((await call('GET', `/api/keys/${a.id}`)).json.status).toBe('active');
  });

  it.each([
    [{ action: 'explode', ids: ['a'] }, 'action'],
    [{ ids: ['a'] }, 'action'],
    [{ action: 'create' }, 'keys'],
    [{ action: 'create', keys: [] }, 'keys'],
    [{ action: 'create', keys: {} }, 'keys'],
    [{ action: 'create', keys: [{ name: 'a' }], ids: ['b'] }, 'ids'],
    [{ action: 'block' }, 'ids'],
    [{ action: 'block', ids: 'a' }, 'ids'],
    [{ action: 'block', ids: [5] }, 'ids'],
    [{ action: 'block', ids: ['a'], keys: [{ name: 'a' }] }, 'keys'],
    [{ action: 'delete', ids: Array.from({ length: 501 }, (_, n) => `k${n}`) }, 'ids'],
  ])('a bulk request of %j is a 400 that names %s', async (body, path) => {
    const answer = await call('POST', '/api/keys/bulk', { body });
    expect(answer.status).toBe(400);
    expect(paths(answer)).toContain(path);
  });
});
