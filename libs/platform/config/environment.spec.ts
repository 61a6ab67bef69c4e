import { readEnvironment } from './environment.js';

it('gives a copy that later changes of the environment do not reach', () => {
  process.env['SF_SPEC_VARIABLE'] = 'before';
  const env = readEnvironment();
  process.env['SF_SPEC_VARIABLE'] = 'after';
  delete process.env['SF_SPEC_VARIABLE'];
  expect(env['SF_SPEC_VARIABLE']).toBe('before');
  expect(Object.isFrozen(env)).toBe(true);
});
