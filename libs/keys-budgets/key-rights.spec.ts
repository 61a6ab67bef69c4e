import { NO_LIMITS } from '#libs/platform/config.js';
import { covers, faultsOfRights, rightsOf } from './key-rights.js';
import type { KeySettings } from './key-settings.js';
import { faultsOfOwners, OwnerLookup } from './owner-lookup.js';
import { NO_FILE_OWNERS } from './owner-index.js';

describe('covers', () => {
  it.each([
    [['*'], ['anything', 'gpt-*', '*'], true],
    [['gpt-*'], ['gpt-5', 'gpt-5-*', 'gpt-*'], true],
    [['gpt-*'], ['*'], false],
    [['gpt-*'], ['g*'], false],
    [['gpt-5-*'], ['gpt-*'], false],
    [['gpt-*', 'claude-*'], ['claude-sonnet-5', 'gpt-5'], true],
    [['gpt-5'], ['gpt-5', 'gpt-6'], false],
    [['*-mini'], ['gpt-*-mini'], true],
    [['a*b*c'], ['a*c'], false],
    [[], ['a'], false],
    [[], [], true],
  ])('%j covers %j: %p', (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });
});

describe('rights of a role', () => {
  it('KEY-1: an admin may give everything, a viewer and an unknown role nothing', () => {
    const wish = { models: ['gpt-*'], routes: ['/v1/*'] };
    expect(faultsOfRights(rightsOf('proxy_admin'), wish)).toEqual([]);
    for (const role of ['proxy_admin_viewer', 'toString', 'nobody'] as const) {
      expect(faultsOfRights(rightsOf(role as 'proxy_admin'), wish).map(({ path }) => path)).toEqual([
        'models[0]',
        'routes[0]',
      ]);
    }
  });

  it('KEY-1: names each pattern that goes beyond the rights, and only what is given', () => {
    const rights = { ...rightsOf('proxy_admin'), models: ['gpt-*'], routes: ['/v1/*'] };
    const faults = faultsOfRights(rights, { models: ['gpt-5', '*', 'claude-*'], routes: ['/v1/chat/*'] });
    expect(faults.map(({ path }) => path)).toEqual(['models[1]', 'models[2]']);
    expect(faultsOfRights(rights, { name: 'x' })).toEqual([]);
    expect(faultsOfRights(rights, { chain: 'resilient' }).map(({ path }) => path)).toEqual(['chain']);
    expect(faultsOfRights(rights, { chain: null })).toEqual([]);
  });
});

describe('owners that a role may give keys of', () => {
  it('KEY-1: another owner is beyond the rights, and so is none at all, which would be free of its caps', () => {
    const rights = { ...rightsOf('proxy_admin'), team: ['own', 'own-*'] };
    const faults = (team: string | null) => faultsOfRights(rights, { team, user: 'ada', app: null });
    for (const team of ['own', 'own-2']) expect(faults(team)).toEqual([]);
    for (const team of ['other', null]) expect(faults(team).map(({ path }) => path)).toEqual(['team']);
  });
});

describe('what goes with the owners of a key', () => {
  const settings = (more: Partial<KeySettings>): KeySettings => ({
    name: 'k',
    team: null,
    user: null,
    app: null,
    models: ['*'],
    routes: ['*'],
    tags: [],
    chain: null,
    budgets: [],
    limits: NO_LIMITS,
    expiresAtMs: null,
    metadata: {},
    ...more,
  });
  const look = { get: async () => null, named: async () => [], holding: async () => [] };
  const budget = {
    limitNanos: 1,
    period: 'daily',
    timeZone: null,
    weekStart: null,
    mode: 'strict',
    warnAt: [],
  } as const;
  const file = {
    ...NO_FILE_OWNERS,
    teams: [{ name: 'narrow', displayName: null, models: ['gpt-*'], budgets: [], limits: NO_LIMITS }],
    tags: Array.from({ length: 40 }, (_, n) => ({
      name: `t${n}`,
      displayName: null,
      models: ['*'],
      budgets: [budget],
      limits: NO_LIMITS,
    })),
  };
  const faults = async (more: Partial<KeySettings>, changed: string[]) => {
    const wish = settings(more);
    const owners = await OwnerLookup.read(look, 'org_default', file, [wish]);
    return faultsOfOwners(wish, new Set(changed), owners).map(({ path }) => path);
  };

  it('an owner must exist when it is given, and is not asked for again later', async () => {
    expect(await faults({ team: 'gone', user: 'gone' }, ['team', 'user'])).toEqual(['team', 'user']);
    expect(await faults({ team: 'gone' }, ['name'])).toEqual([]);
  });

  it('a key for everything is for everything its team may use; what is named must be among it', async () => {
    expect(await faults({ team: 'narrow' }, ['team', 'models'])).toEqual([]);
    expect(await faults({ team: 'narrow', models: ['gpt-5', 'claude-*'] }, ['models'])).toEqual(['models[1]']);
  });

  it('more budgets than a call can be charged to are refused at the field that brings them', async () => {
    const tags = file.tags.map(({ name }) => name);
    expect(await faults({ tags }, ['tags'])).toEqual(['tags']);
    expect(await faults({ tags: tags.slice(0, 32) }, ['tags'])).toEqual([]);
    expect(await faults({ tags }, ['name'])).toEqual([]);
    const org = { displayName: null, timeZone: 'UTC', weekStart: 1, budgets: [budget], limits: NO_LIMITS };
    const owners = await OwnerLookup.read(look, 'org_default', { ...file, org }, [settings({ tags })]);
    const wish = settings({ tags: tags.slice(0, 32) });
    expect(faultsOfOwners(wish, new Set(['tags']), owners).map(({ path }) => path)).toEqual(['tags']);
  });
});
