import { HeldBytes } from './held-bytes.js';

it('takes up to its limit, refuses beyond it as a whole, and takes again what was given back', () => {
  const held = new HeldBytes(100);
  expect(held.take(60)).toBe(true);
  expect(held.take(41)).toBe(false);
  expect(held.take(40)).toBe(true);
  held.give(60);
  expect(held.held).toBe(40);
  expect(held.take(60)).toBe(true);
});
