import { NO_LIMITS, type BudgetConfig, type FileOwnerConfig } from '#libs/platform/config.js';
import { RegistryState } from '#libs/registry/index.js';
import { MOST_BUDGETS_OF_A_CALL } from './budgets/budget-definition.js';
import { problemOf, refuseTooManyBudgets, unusableKeys, type NamedKey } from './key-problem.js';
import { NO_FILE_OWNERS, OwnerIndex } from './owner-index.js';

const budget = (mode: BudgetConfig['mode']): BudgetConfig => ({
  limitNanos: 1,
  period: 'daily',
  timeZone: null,
  weekStart: null,
  mode,
  warnAt: [],
});
const owner = (name: string, budgets: readonly BudgetConfig[] = []): FileOwnerConfig => ({
  name,
  displayName: null,
  models: ['*'],
  budgets: [...budgets],
  limits: NO_LIMITS,
});
const key = (more: Partial<NamedKey> = {}): NamedKey => ({
  name: 'k',
  orgId: 'org_default',
  team: null,
  user: null,
  app: null,
  tags: [],
  budgets: [],
  ...more,
});
const tags = Array.from({ length: 40 }, (_, n) => `t${n}`);
const file = {
  ...NO_FILE_OWNERS,
  teams: [owner('red')],
  tags: tags.map((name, n) => owner(name, [budget(n < 33 ? 'clamp' : 'soft')])),
};
const owners = new OwnerIndex(RegistryState.empty, file);

describe('keys that cannot be used', () => {
  it.each(['team', 'user', 'app'] as const)('KEY-2: a key of a %s that does not exist, which lifts no cap', (kind) => {
    expect(problemOf(owners, key({ [kind]: 'gone' }))).toBe(
      `The key belongs to the ${kind} "gone", which does not exist.`,
    );
  });

  it('KEY-2: a key of an owner that exists can be used, and so can one with a tag that nobody described', () => {
    expect(problemOf(owners, key({ team: 'red', tags: ['whatever'] }))).toBeNull();
    expect(problemOf(OwnerIndex.empty, key({ team: 'red' }))).not.toBeNull();
  });

  it('KEY-2: a key with more hard budgets than a call can be charged to; soft ones do not count', () => {
    expect(problemOf(owners, key({ tags: tags.slice(1) }))).toBeNull();
    expect(problemOf(owners, key({ tags }))).toMatch(/^33 hard budgets/);
  });

  it('a list of them names some and counts all', () => {
    const fileKeys = ['a', 'b', 'c'].map((name) => ({ ...key({ name, team: name === 'b' ? 'red' : 'gone' }) }));
    const found = unusableKeys(RegistryState.empty, fileKeys as never, owners, 1);
    expect(found).toMatchObject({ count: 2, named: [{ key: 'a', problem: expect.stringContaining('"gone"') }] });
  });
});

describe('refuseTooManyBudgets', () => {
  const full = Array.from({ length: 8 }, (_, n) => key({ name: `k${n}`, team: 'red', tags: tags.slice(1, 33) }));
  const change = (before: BudgetConfig[], after: BudgetConfig[]) => () =>
    refuseTooManyBudgets([...full, key({ name: 'other', team: 'red' })], owners, {
      concerns: ({ team }) => team === 'red',
      before,
      after,
    });

  it('KEY-2: names the keys that would have too many, a few of them by name', () => {
    expect(tags.slice(1, 33)).toHaveLength(MOST_BUDGETS_OF_A_CALL);
    expect(change([], [budget('strict')])).toThrow(/the keys "k0", "k1", "k2", "k3", "k4" and 3 more/);
    expect(change([], [budget('strict')])).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  it('lets soft ones through, and whatever adds no hard one', () => {
    expect(change([], [budget('soft')])).not.toThrow();
    expect(change([budget('clamp')], [budget('strict')])).not.toThrow();
  });
});
