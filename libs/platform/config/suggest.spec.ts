import { didYouMean, nearest } from './suggest.js';

const settings = ['listen', 'providers', 'base_url', 'budgets', 'stores', 'data_dir', 'rpm', 'tpm'];

it.each([
  ['provider', 'providers'],
  ['porviders', 'providers'],
  ['baseUrl', 'base_url'],
  ['base-url', 'base_url'],
  ['BASE_URL', 'base_url'],
  ['bugdets', 'budgets'],
  ['store', 'stores'],
  ['datadir', 'data_dir'],
  ['rmp', 'rpm'],
  ['data', 'data_dir'],
])('CFG-1: %s was probably meant as %s', (written, meant) => {
  expect(nearest(written, settings)).toBe(meant);
});

it.each(['zzz', 'model', '', 'x', '日本', 'a'.repeat(5000)])('nothing is proposed for %s', (written) => {
  expect(nearest(written, settings)).toBeNull();
  expect(didYouMean(written, settings)).toBe('');
});

it('a proposal reads as a question in brackets', () => {
  expect(didYouMean('lisen', settings)).toBe(' (did you mean "listen"?)');
});
