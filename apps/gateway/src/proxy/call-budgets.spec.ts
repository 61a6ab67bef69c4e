import type { KeyRecord } from '#libs/keys-budgets/index.js';
import { BudgetSets, type CallBudgets } from './call-budgets.js';

const key = (name: string): KeyRecord => ({ name, orgId: 'org_default', budgets: [] }) as unknown as KeyRecord;

describe('BudgetSets', () => {
  it('KEY-2: compiles the budgets of a key once, and those of a changed key anew', () => {
    let compiled = 0;
    const sets = new BudgetSets({ compile: () => ({ n: (compiled += 1) }) as never });
    const [one, changed] = [key('a'), key('a')];
    expect(sets.of(one)).toBe(sets.of(one));
    expect(sets.of(changed)).not.toBe(sets.of(one));
    expect(compiled).toBe(2);
  });

  it('KEY-2: budgets that cannot be charged together refuse the call, with the field named', () => {
    const compile: CallBudgets['compile'] = () => {
      throw new RangeError('budgets[3].id: twice');
    };
    const set = () => new BudgetSets({ compile }).of(key('a'));
    expect(set).toThrow(/cannot be charged: budgets\[3\]\.id/);
    expect(set).toThrow(expect.objectContaining({ code: 'key_unusable', status: 403 }));
  });
});
