import { NO_LIMITS, type BudgetConfig, type FileKeyConfig } from '#libs/platform/config.js';
import { RegistryState, type DocumentKind, type RegistryDocument } from '#libs/registry/index.js';
import { BudgetBook, type FileBudgets } from './budget-book.js';
import { NO_FILE_OWNERS, OwnerIndex } from './owner-index.js';
import { budgetsOf } from './ownership.js';

const budget = (limitNanos: number, more: Partial<BudgetConfig> = {}): BudgetConfig => ({
  limitNanos,
  period: 'monthly',
  timeZone: null,
  weekStart: null,
  mode: 'clamp',
  warnAt: [0.5],
  ...more,
});
const document = (
  kind: DocumentKind,
  id: string,
  name: string,
  budgets: readonly BudgetConfig[],
): RegistryDocument => ({
  orgId: 'org_default',
  kind,
  id,
  name,
  version: 1,
  body: { budgets, models: ['*'], limits: NO_LIMITS, timeZone: 'Asia/Tokyo', weekStart: 1 },
  createdAtMs: 0,
  updatedAtMs: 0,
});
const registry = RegistryState.empty.apply({
  head: { lineage: 'l', version: 1 },
  full: true,
  removed: [],
  documents: [
    document('org', 'org_default', 'org_default', [budget(1)]),
    document('team', 'team_1', 'a:b', [budget(2), budget(3, { mode: 'soft' })]),
    document('user', 'user_1', 'ann', [budget(4, { period: 'daily' })]),
    document('app', 'app_1', 'portal', [budget(5)]),
    document('tag', 'tag_1', 'x', [budget(6, { period: 'lifetime' })]),
    document('key', 'key_1', 'k', [budget(7)]),
  ],
});
const fileKey = { name: 'ci', budgets: [budget(8, { period: 'weekly' })] } as unknown as FileKeyConfig;
const file: FileBudgets = { ...NO_FILE_OWNERS, keys: [fileKey] };
const book = new BudgetBook(registry, file);

describe('the book of budgets', () => {
  it('KEY-7: finds each budget by the id under which calls are charged to it', () => {
    const key = { id: 'key_1', name: 'k', orgId: 'org_default', team: 'a:b', user: 'ann', app: 'portal' };
    const charged = budgetsOf(new OwnerIndex(registry, file), {
      ...key,
      tags: ['x'],
      budgets: [budget(7)],
      limits: NO_LIMITS,
    });
    expect(charged.map(({ limitNanos }) => limitNanos).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const one of charged) expect(book.find('org_default', one.id)).toEqual(one);
    expect(book.find('org_default', 'key:key_file_ci:weekly')).toMatchObject({
      limitNanos: 8,
      ownerName: 'ci',
      timeZone: 'Asia/Tokyo',
    });
  });

  it.each([
    'team:a:b:daily',
    'team:nobody:monthly',
    'key:key_2:monthly',
    'key:k:monthly',
    'nonsense',
    'planet:earth:monthly',
  ])('KEY-7: %s is none', (id) => expect(book.find('org_default', id)).toBeNull());

  it('KEY-7: another organisation has other budgets; what changes later is in the book of later', () => {
    expect(book.find('org_other', 'team:a:b:monthly')).toBeNull();
    expect(book.find('org_other', 'key:key_file_ci:weekly')).toBeNull();
    expect(book.at(registry, file)).toBe(book);
    const later = registry.apply({
      head: { lineage: 'l', version: 2 },
      full: false,
      removed: [{ orgId: 'org_default', kind: 'user', id: 'user_1' }],
      documents: [{ ...document('key', 'key_1', 'k', [budget(70)]), version: 2 }],
    });
    const next = book.at(later, { ...file, keys: [] });
    expect(next.find('org_default', 'key:key_1:monthly')?.limitNanos).toBe(70);
    expect(next.find('org_default', 'user:ann:daily')).toBeNull();
    expect(next.find('org_default', 'key:key_file_ci:weekly')).toBeNull();
    expect(book.find('org_default', 'key:key_1:monthly')?.limitNanos).toBe(7);
  });
});
