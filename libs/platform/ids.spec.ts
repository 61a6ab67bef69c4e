import { idTimeMs, idUuid, newId, uuidv7 } from './ids.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const later = Date.now() + 1000; // ids count on from the latest time they have seen

it('laws 3: an id is its prefix and a UUIDv7 with version and variant bits', () => {
  for (let i = 0; i < 2000; i++) expect(uuidv7()).toMatch(UUID_V7);
  expect(newId('req')).toMatch(/^req_[0-9a-f]{8}-/);
  expect(idUuid(newId('key'))).toMatch(UUID_V7);
});

it('laws 3: 100,000 ids are distinct and sort in the order in which they were made', () => {
  const ids = Array.from({ length: 100_000 }, () => uuidv7());
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id, index) => index === 0 || (ids[index - 1] as string) < id)).toBe(true);
});

it('laws 3: within one millisecond and with a clock that steps back the order stays', () => {
  const ids = [later, later, later - 500, later - 60_000, later + 1].map((nowMs) => uuidv7(nowMs));
  expect([...ids].sort()).toEqual(ids);
});

it('laws 3: the time can be read back from the id to the millisecond', () => {
  const nowMs = later + 100_000;
  expect(idTimeMs(`req_${uuidv7(nowMs)}`)).toBe(nowMs);
});

it.each([
  '',
  'req_',
  'req_x',
  '0198c0de-0000-7000-8000-000000000000',
  'req_0198c0de-0000-4000-8000-000000000000',
  'REQ_0198c0de-0000-7000-8000-000000000000',
  'req_0198c0de-0000-7000-8000-000000000000 ',
  `req_${'0'.repeat(1e5)}`,
])('laws 3: %j is no id of ours', (id) => {
  expect(idTimeMs(id)).toBeNull();
});
