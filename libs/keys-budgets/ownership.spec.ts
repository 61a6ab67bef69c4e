import { NO_LIMITS, type BudgetConfig, type FileOwnerConfig } from '#libs/platform/config.js';
import { RegistryState, type DocumentKind, type RegistryDocument } from '#libs/registry/index.js';
import { faultOfBudget, MOST_BUDGETS_OF_A_CALL } from './budgets/budget-definition.js';
import type { OwnerBody } from './owner-document.js';
import { NO_FILE_OWNERS, OwnerIndex } from './owner-index.js';
import { budgetId, budgetsOf, limitScopesOf, parseBudgetId, type OwnedKey } from './ownership.js';

const budget = (more: Partial<BudgetConfig> = {}): BudgetConfig => ({
  limitNanos: 1_000_000_000,
  period: 'monthly',
  timeZone: null,
  weekStart: null,
  mode: 'clamp',
  warnAt: [],
  ...more,
});
const body = (more: Partial<OwnerBody> = {}): OwnerBody => ({
  displayName: null,
  models: ['*'],
  budgets: [budget()],
  limits: NO_LIMITS,
  metadata: {},
  ...more,
});
function document(kind: DocumentKind, name: string, content: Record<string, unknown>): RegistryDocument {
  return {
    orgId: 'org_default',
    kind,
    id: kind === 'org' ? name : `${kind}_1_${name}`,
    name,
    version: 1,
    body: content,
    createdAtMs: 0,
    updatedAtMs: 0,
  };
}
function state(...documents: RegistryDocument[]): RegistryState {
  return RegistryState.empty.apply({ head: { lineage: 'l', version: 1 }, full: true, documents, removed: [] });
}
const fileOwner = (name: string, more: Partial<FileOwnerConfig> = {}): FileOwnerConfig => ({
  name,
  displayName: null,
  models: ['*'],
  budgets: [],
  limits: NO_LIMITS,
  ...more,
});
const key = (more: Partial<OwnedKey> = {}): OwnedKey => ({
  id: 'key_1',
  name: 'k',
  orgId: 'org_default',
  team: null,
  user: null,
  app: null,
  tags: [],
  budgets: [],
  limits: NO_LIMITS,
  ...more,
});

describe('budgetsOf', () => {
  const everybody = new OwnerIndex(
    state(
      document('team', 'research', body()),
      document('user', 'ada', body()),
      document('app', 'portal', body({ budgets: [budget({ timeZone: 'Asia/Tokyo', weekStart: 7, warnAt: [0.5] })] })),
      document('tag', 'nightly', body()),
      document('org', 'org_default', {
        timeZone: 'Europe/Berlin',
        weekStart: 1,
        budgets: [budget()],
        limits: NO_LIMITS,
      }),
    ),
    NO_FILE_OWNERS,
  );

  it('KEY-2: key, user, app, tags, team and organisation are checked together, the most specific first', () => {
    const owned = key({
      team: 'research',
      user: 'ada',
      app: 'portal',
      tags: ['nightly', 'plain'],
      budgets: [budget()],
    });
    const budgets = budgetsOf(everybody, owned);
    expect(budgets.map(({ id, scope }) => [scope, id])).toEqual([
      ['key', 'key:key_1:monthly'],
      ['user', 'user:ada:monthly'],
      ['app', 'app:portal:monthly'],
      ['tag', 'tag:nightly:monthly'],
      ['team', 'team:research:monthly'],
      ['org', 'org:org_default:monthly'],
    ]);
    for (const one of budgets) expect(faultOfBudget(one)).toBeNull();
  });

  it('KEY-2: what a budget does not say, the organisation says', () => {
    const budgets = budgetsOf(everybody, key({ app: 'portal', budgets: [budget()] }));
    expect(budgets.map(({ timeZone, weekStart, warnAt }) => [timeZone, weekStart, warnAt])).toEqual([
      ['Europe/Berlin', 1, []],
      ['Asia/Tokyo', 7, [0.5]],
      ['Europe/Berlin', 1, []],
    ]);
    expect(budgetsOf(OwnerIndex.empty, key({ budgets: [budget()] }))[0]).toMatchObject({
      timeZone: 'UTC',
      weekStart: 1,
    });
  });

  it('a name without an owner has no say', () => {
    expect(budgetsOf(OwnerIndex.empty, key({ team: 'gone', tags: ['x'] }))).toEqual([]);
  });

  it('what was spent stays counted when the limit, the zone or the hard mode changes; soft ones count apart', () => {
    const ids = (more: Partial<BudgetConfig>) => budgetsOf(OwnerIndex.empty, key({ budgets: [budget(more)] }))[0]?.id;
    const usual = ids({});
    expect(ids({ limitNanos: 5, timeZone: 'Asia/Tokyo', mode: 'strict', warnAt: [1] })).toBe(usual);
    expect(ids({ mode: 'soft' })).not.toBe(usual);
    expect(ids({ period: 'daily' })).not.toBe(usual);
  });

  it('a team that moves from the registry into the file keeps its counters', () => {
    const file = { ...NO_FILE_OWNERS, teams: [fileOwner('research', { budgets: [budget({ limitNanos: 7 })] })] };
    const both = new OwnerIndex(state(document('team', 'research', body())), file);
    expect(budgetsOf(both, key({ team: 'research' }))).toMatchObject([{ id: 'team:research:monthly', limitNanos: 7 }]);
  });

  it('beyond what a call can be charged to, soft ones are left out and hard ones never', () => {
    const tags = Array.from({ length: 40 }, (_, n) => `t${n}`);
    const owners = new OwnerIndex(
      state(
        ...tags.map((name, n) =>
          document('tag', name, body({ budgets: [budget({ mode: n < 10 ? 'clamp' : 'soft' })] })),
        ),
      ),
      NO_FILE_OWNERS,
    );
    const budgets = budgetsOf(owners, key({ tags }));
    expect(budgets).toHaveLength(MOST_BUDGETS_OF_A_CALL);
    expect(budgets.filter(({ mode }) => mode !== 'soft')).toHaveLength(10);
    const hard = new OwnerIndex(state(...tags.map((name) => document('tag', name, body()))), NO_FILE_OWNERS);
    expect(budgetsOf(hard, key({ tags }))).toHaveLength(40);
  });
});

describe('budgetId', () => {
  it.each(['a', 'a:daily', 'a:daily:soft', 'team:a', ':', 'ü b', 'a:monthly'])(
    'tells the budgets of %j from all others',
    (owner) => {
      for (const mode of ['clamp', 'soft'] as const) {
        const id = budgetId('team', owner, { period: 'daily', mode });
        expect(parseBudgetId(id)).toEqual({ scope: 'team', owner, period: 'daily', soft: mode === 'soft' });
      }
    },
  );

  it.each(['', 'team', 'team:a', 'team:a:hourly', 'gang:a:daily', 'team::daily'])('%j is none', (id) => {
    expect(parseBudgetId(id)).toBeNull();
  });
});

describe('limitScopesOf', () => {
  it('KEY-1: key, user, app, team and organisation, as far as they have limits', () => {
    const limits = { rpm: 5, tpm: null, maxParallel: null };
    const owners = new OwnerIndex(
      state(
        document('team', 'research', body({ limits })),
        document('user', 'ada', body()),
        document('app', 'portal', body({ limits })),
        document('tag', 'nightly', body({ limits })),
        document('org', 'org_default', { timeZone: 'UTC', weekStart: 1, budgets: [], limits }),
      ),
      NO_FILE_OWNERS,
    );
    const owned = key({ team: 'research', user: 'ada', app: 'portal', tags: ['nightly'], limits });
    expect(limitScopesOf(owners, owned).map(({ id }) => id)).toEqual([
      'key:key_1',
      'app:portal',
      'team:research',
      'org:org_default',
    ]);
    expect(limitScopesOf(OwnerIndex.empty, key())).toEqual([]);
  });
});

describe('OwnerIndex', () => {
  it('stays the same object while nothing of it changes, so that what is made from it stays good', () => {
    const first = state(document('team', 'a', body()));
    const file = { ...NO_FILE_OWNERS };
    const index = new OwnerIndex(first, file);
    const keysChanged = first.apply({
      head: { lineage: 'l', version: 2 },
      full: false,
      documents: [{ ...document('team', 'a', body()), kind: 'key', id: 'key_2', version: 2 }],
      removed: [],
    });
    expect(index.at(keysChanged, { ...file })).toBe(index);
    const teamChanged = first.apply({
      head: { lineage: 'l', version: 2 },
      full: false,
      documents: [{ ...document('team', 'a', body({ models: ['x'] })), version: 2 }],
      removed: [],
    });
    expect(index.at(teamChanged, file)).not.toBe(index);
    expect(index.at(first, { ...file, teams: [fileOwner('b')] })).not.toBe(index);
  });
});
