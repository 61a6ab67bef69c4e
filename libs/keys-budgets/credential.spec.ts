import { createSecretKey, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { digestOf, isWellFormed, makeCredential } from './credential.js';

describe('credentials', () => {
  it('KEY-1: prefix, 8 public characters, 43 random ones, 6 of checksum', () => {
    const { secret, publicId } = makeCredential('sk-sf-');
    expect(secret.reveal()).toMatch(/^sk-sf-[0-9A-Za-z]{57}$/);
    expect(secret.reveal().slice(6, 14)).toBe(publicId);
    expect(String(secret)).toBe('[secret]');
  });

  it('the checksum is CRC-32 as everybody computes it, in base 62', () => {
    const text = makeCredential('sf_admin_').secret.reveal();
    let value = 0;
    for (const char of text.slice(-6))
      value = value * 62 + '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(char);
    expect(value).toBe(crc32(text.slice(0, -6)));
  });

  it('are all different, and every character of the alphabet is about equally likely', () => {
    const texts = Array.from({ length: 4_000 }, () => makeCredential('sk-sf-').secret.reveal().slice(6, -6));
    expect(new Set(texts).size).toBe(texts.length);
    const counts = new Map<string, number>();
    for (const char of texts.join('')) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).toBe(62);
    const mean = (4_000 * 51) / 62;
    for (const count of counts.values()) expect(Math.abs(count / mean - 1)).toBeLessThan(0.12);
  });

  it('KEY-1: any single wrong, missing or added character is noticed without a look-up', () => {
    const text = makeCredential('sk-sf-').secret.reveal();
    expect(isWellFormed('sk-sf-', text)).toBe(true);
    for (let i = 6; i < text.length; i++) {
      const wrong = text[i] === 'a' ? 'b' : 'a';
      expect(isWellFormed('sk-sf-', text.slice(0, i) + wrong + text.slice(i + 1))).toBe(false);
      expect(isWellFormed('sk-sf-', text.slice(0, i) + text.slice(i + 1))).toBe(false);
    }
    expect(isWellFormed('sk-sf-', `${text}x`)).toBe(false);
    expect(isWellFormed('sk-sf-', ` ${text}`)).toBe(false);
  });

  it('one kind is never another', () => {
    const prefixes = ['sk-sf-', 'sf_admin_', 'sf_admin_link_', 'sf_admin_session_'] as const;
    for (const made of prefixes) {
      const text = makeCredential(made).secret.reveal();
      expect(prefixes.filter((prefix) => isWellFormed(prefix, text))).toEqual([made]);
      for (const other of prefixes)
        if (other !== made) expect(isWellFormed(other, other + text.slice(made.length))).toBe(false);
    }
  });

  it.each([
    '',
    'sk-sf-',
    'sk-sf-' + '\u0000'.repeat(57),
    'sk-sf-' + 'é'.repeat(57),
    'sk-sf-' + '-'.repeat(57),
    'SK-SF-'.padEnd(63, 'a'),
  ])('%j is none', (text) => expect(isWellFormed('sk-sf-', text)).toBe(false));

  it('KEY-1: a digest needs the pepper', () => {
    const [one, two] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))];
    expect(digestOf(one, 'x')).toBe(digestOf(one, 'x'));
    expect(digestOf(one, 'x')).not.toBe(digestOf(two, 'x'));
    expect(digestOf(one, 'x')).toMatch(/^[\w-]{43}$/);
  });
});
