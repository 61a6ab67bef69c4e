import { format, inspect } from 'node:util';
import { Secret } from './secret.js';

const secret = new Secret('canary');

it.each([
  ['String()', String(secret)],
  ['a template', `${secret.toString()} ${[secret].join(',')}`],
  ['concatenation', ['', secret].join('')],
  ['JSON', JSON.stringify({ secret, list: [secret] })],
  ['inspect', inspect({ secret }, { depth: 9, showHidden: true })],
  ['format', format('%s %o %O %j', secret, secret, secret, secret)],
  ['its keys', Object.keys(secret).join()],
  ['its entries', JSON.stringify(Object.entries(secret))],
  ['a copy', JSON.stringify({ ...secret })],
  ['a structured clone', inspect(structuredClone({ ...secret }))],
])('laws 2: a Secret is not readable through %s', (_, text) => {
  expect(text).not.toContain('canary');
});

it('laws 2: reveal gives the value', () => {
  expect(secret.reveal()).toBe('canary');
});
