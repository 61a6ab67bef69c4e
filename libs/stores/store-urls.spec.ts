import { describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/platform/secret.js';
import { addressOf, withoutPassword } from './store-urls.js';

describe('store URLs in messages', () => {
  it.each([
    ['postgres://u:p@db.example:6000/x', 'db.example:6000'],
    ['postgres://u:p@db.example/x', 'db.example:5432'],
    ['rediss://:p@cache', 'cache:6379'],
    ['mongodb://u:p@[::1]:27018/x', '[::1]:27018'],
    ['no URL at all: secret', 'an unreadable address'],
  ])('CFG-1: %s is named by host and port alone', (url, address) => {
    expect(addressOf(new Secret(url))).toBe(address);
  });

  it.each([
    ['postgres://u:s3cret@h/x', 'bad s3cret and s3cret', 'bad [secret] and [secret]'],
    ['postgres://u:a%2Fb@h/x', 'it was a/b or a%2Fb', 'it was [secret] or [secret]'],
    ['redis://:p%zz@h', 'p%zz', '[secret]'],
    ['redis://h', 'nothing to hide', 'nothing to hide'],
    ['redis://:@h', 'nothing to hide', 'nothing to hide'],
  ])('CFG-1: the password of %s is taken out of a message', (url, message, clean) => {
    expect(withoutPassword(message, new Secret(url))).toBe(clean);
  });

  it('CFG-1: a message that quotes the whole URL loses it', () => {
    expect(withoutPassword('cannot parse redis://:x@h', new Secret('redis://:x@h'))).toBe('cannot parse [secret]');
  });
});
