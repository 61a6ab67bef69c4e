import type { RegistryDocument } from './document.js';
import { RegistryState } from './registry-state.js';

const document = (id: string, version: number, kind: RegistryDocument['kind'] = 'key'): RegistryDocument => ({
  orgId: 'org_default',
  kind,
  id,
  name: `${id}@${version}`,
  version,
  body: {},
  createdAtMs: 0,
  updatedAtMs: 0,
});
const head = (version: number) => ({ lineage: 'l', version });
const ref = (id: string) => ({ orgId: 'org_default', kind: 'key' as const, id });
const names = (state: RegistryState): string[] => [...state.all('key')].map((one) => one.name).sort();

describe('RegistryState', () => {
  const first = RegistryState.empty.apply({
    head: head(2),
    full: true,
    documents: [document('a', 1), document('b', 2), document('t', 2, 'api_token')],
    removed: [],
  });

  it('a delta sets and removes, and leaves the state before it as it was', () => {
    const next = first.apply({ head: head(4), full: false, documents: [document('a', 3)], removed: [ref('b')] });
    expect([next.version, names(next)]).toEqual([4, ['a@3']]);
    expect([first.version, names(first)]).toEqual([2, ['a@1', 'b@2']]);
    expect(next.get('org_default', 'key', 'b')).toBeNull();
    expect(next.get('org_other', 'key', 'a')).toBeNull();
  });

  it('kinds that a delta does not touch stay the same object', () => {
    const next = first.apply({ head: head(3), full: false, documents: [document('a', 3)], removed: [] });
    expect(next.sameKind(first, 'api_token')).toBe(true);
    expect(next.sameKind(first, 'key')).toBe(false);
  });

  it('a full delta forgets everything else', () => {
    const next = first.apply({ head: head(9), full: true, documents: [document('c', 9)], removed: [] });
    expect(names(next)).toEqual(['c@9']);
    expect(next.count('api_token')).toBe(0);
  });

  it('of two readings of one document the newer stays, in whatever order they come', () => {
    const documents = [document('a', 7), document('a', 5)];
    expect(names(RegistryState.empty.apply({ head: head(7), full: true, documents, removed: [] }))).toEqual(['a@7']);
  });
});
