import { pageById } from './page-by-id.js';

const items = ['key_3', 'key_1', 'key_file_a', 'key_2'].map((id) => ({ id }));
const ids = (page: { items: readonly { id: string }[] }): string[] => page.items.map((item) => item.id);

describe('pageById', () => {
  it('CFG-5: newest first, and the last page says so', () => {
    const one = pageById(items, 3, undefined, 'key');
    expect(ids(one)).toEqual(['key_file_a', 'key_3', 'key_2']);
    const two = pageById(items, 3, one.nextCursor ?? '', 'key');
    expect([ids(two), two.nextCursor]).toEqual([['key_1'], null]);
    expect(pageById(items, 4, undefined, 'key').nextCursor).toBeNull();
    expect(pageById([], 4, undefined, 'key')).toEqual({ items: [], nextCursor: null });
  });

  it('what comes or goes between two pages neither hides nor repeats another item', () => {
    const one = pageById(items, 2, undefined, 'key');
    const changed = [...items.filter((item) => item.id !== 'key_3'), { id: 'key_4' }];
    expect(ids(pageById(changed, 9, one.nextCursor ?? '', 'key'))).toEqual(['key_2', 'key_1']);
  });

  it.each(['', ' ', '***', 'a2V5XzM=', 'a2V5XzM\n', Buffer.from('a\u0000').toString('base64url'), 'x'.repeat(1000)])(
    'refuses the cursor %j',
    (cursor) => {
      expect(() => pageById(items, 2, cursor, 'key')).toThrow('"cursor"');
    },
  );
});
