import { uuidv7 } from '#libs/platform/ids.js';
import { KeyUseNotes, STAMP_EVERY_MS, type KeyStamp } from './key-use.js';

const START = 1_800_000_000_000;
const used = (keyId: string, atMs: number) => ({ id: `req_${uuidv7(START + atMs)}`, orgId: 'org', keyId });

describe('KeyUseNotes', () => {
  let raised: KeyStamp[][];
  let fails: boolean;
  let notes: KeyUseNotes;
  beforeEach(() => {
    raised = [];
    fails = false;
    notes = new KeyUseNotes({
      raise: async (stamps) => {
        if (fails) throw new Error('away');
        raised.push([...stamps]);
      },
    });
  });

  it('KEY-1: writes a key at most once a minute, with the latest use of the batch', async () => {
    await notes.note([used('a', 0), used('b', 10), used('a', 30)]);
    expect(raised).toHaveLength(1);
    expect(raised[0]?.map(({ keyId }) => keyId)).toEqual(['a', 'b']);
    for (let i = 0; i < 50; i++) await notes.note([used('a', 1000 + i), used('b', 1000 + i)]);
    expect(raised).toHaveLength(1);
    await notes.note([used('a', 2 * STAMP_EVERY_MS)]);
    expect(raised).toHaveLength(2);
  });

  it('a write that failed is made with the next use', async () => {
    fails = true;
    await expect(notes.note([used('c', 300_000)])).rejects.toThrow('away');
    fails = false;
    await notes.note([used('c', 300_001)]);
    expect(raised.map((stamps) => stamps.length)).toEqual([1]);
  });

  it('what has no time in its id is passed over', async () => {
    await notes.note([{ id: 'nonsense', orgId: 'org', keyId: 'a' }]);
    expect(raised).toEqual([]);
  });
});
