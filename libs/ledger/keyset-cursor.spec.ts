import { newId } from '#libs/platform/ids.js';
import { decodeCursor, encodeCursor } from './keyset-cursor.js';

describe('cursor', () => {
  it('names a row by its id and the time inside it', () => {
    const id = newId('req');
    const { id: read, timeMs } = decodeCursor(encodeCursor(id));
    expect(read).toBe(id);
    expect(Math.abs(timeMs - Date.now())).toBeLessThan(1000);
  });

  it.each([
    '',
    'nonsense',
    '..',
    Buffer.from('1.req_not-an-id').toString('base64url'),
    Buffer.from(`2.${newId('req')}`).toString('base64url'),
    `${encodeCursor(newId('req'))}=`,
    `${encodeCursor(newId('req'))}AAAA`,
    'x'.repeat(100_000),
  ])('CFG-5: what is no cursor of ours is refused as invalid_request (%#)', (cursor) => {
    expect(() => decodeCursor(cursor)).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'cursor' }));
  });
});
