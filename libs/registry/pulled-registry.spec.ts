import type { RegistryDelta, RegistryDocument } from './document.js';
import { PulledRegistry } from './pulled-registry.js';

const document = (id: string, version: number): RegistryDocument => ({
  orgId: 'o',
  kind: 'webhook',
  id,
  name: id,
  version,
  body: {},
  createdAtMs: 0,
  updatedAtMs: 0,
});

/** A store of one kind of documents; it counts what it is asked. */
class Store {
  lineage = 'l';
  version = 2;
  documents = [document('a', 1), document('b', 2)];
  readonly asked: number[] = [];

  async head() {
    return { lineage: this.lineage, version: this.version };
  }

  async changesSince(version: number): Promise<RegistryDelta> {
    this.asked.push(version);
    const full = version <= 0;
    const documents = this.documents.filter((one) => full || one.version > version);
    return { head: await this.head(), full, documents, removed: [] };
  }
}
const idsOf = async (registry: PulledRegistry): Promise<string[]> =>
  [...(await registry.current()).all('webhook')].map(({ id }) => id);

describe('a registry that is read when it is asked for', () => {
  it('OPS-2: reads everything once, then only what has changed, and once for all who ask at the same time', async () => {
    const store = new Store();
    const registry = new PulledRegistry(store);
    expect(await Promise.all([idsOf(registry), idsOf(registry)])).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(await registry.current()).toBe(await registry.current());
    store.version = 3;
    store.documents.push(document('c', 3));
    expect(await idsOf(registry)).toEqual(['a', 'b', 'c']);
    expect(store.asked).toEqual([0, 2]);
  });

  it('OPS-2: another registry, or one that was restored to an older state, is read anew', async () => {
    const store = new Store();
    const registry = new PulledRegistry(store);
    await registry.current();
    Object.assign(store, { version: 1, documents: [document('a', 1)] });
    expect(await idsOf(registry)).toEqual(['a']);
    Object.assign(store, { lineage: 'm', version: 9, documents: [document('z', 9)] });
    expect(await idsOf(registry)).toEqual(['z']);
    expect(store.asked).toEqual([0, 0, 0]);
  });

  it('OPS-3: a store that is away is an error, and nothing of it stays', async () => {
    const store = new Store();
    const registry = new PulledRegistry(store);
    const head = store.head.bind(store);
    store.head = () => Promise.reject(new Error('away'));
    await expect(registry.current()).rejects.toThrow('away');
    store.head = head;
    expect(await idsOf(registry)).toEqual(['a', 'b']);
  });
});
