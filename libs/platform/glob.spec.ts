import { compileGlobs, memoised } from './glob.js';

describe('compileGlobs', () => {
  it.each([
    [['*'], 'anything/at all', true],
    [['**'], '', true],
    [[], 'x', false],
    [['gpt-5'], 'gpt-5', true],
    [['gpt-5'], 'gpt-5-mini', false],
    [['gpt-5'], 'GPT-5', false],
    [['gpt-*'], 'gpt-', true],
    [['gpt-*'], 'xgpt-5', false],
    [['*-mini'], 'gpt-5-mini', true],
    [['*-mini'], 'gpt-5-mini-x', false],
    [['a*b*c'], 'abc', true],
    [['a*b*c'], 'aXbYc', true],
    [['a*b*c'], 'acb', false],
    [['ab*ab'], 'ab', false],
    [['ab*ab'], 'abab', true],
    [['a*aa*a'], 'aaa', false],
    [['a*aa*a'], 'aaaa', true],
    [['openai/*'], 'openai/gpt-5', true],
    [['/anthropic/*'], '/anthropic/v1/messages', true],
    [['/anthropic/*'], '/anthropic', false],
    [['/v1/chat/completions'], '/v1/chat/completions/x', false],
    [['x', 'y*'], 'yes', true],
    [['a.c'], 'abc', false],
    [['a?c'], 'abc', false],
    [['[ab]*'], 'a', false],
    [['constructor'], 'constructor', true],
    [['x'], 'constructor', false],
  ])('KEY-1: %j on %j is %s', (patterns, text, expected) => expect(compileGlobs(patterns)(text)).toBe(expected));

  it('a pattern made to be slow is not', () => {
    const matches = compileGlobs([`${'*a'.repeat(120)}*b`]);
    const startedAt = performance.now();
    for (let i = 0; i < 100; i++) matches('a'.repeat(2_000));
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe('memoised', () => {
  it('answers as the matcher does, however many texts callers think of', () => {
    let asked = 0;
    const matches = memoised((text) => {
      asked += 1;
      return text.endsWith('7');
    });
    for (let i = 0; i < 5_000; i++) expect(matches(`m${i}`)).toBe(i % 10 === 7);
    expect(asked).toBe(5_000);
    for (let i = 0; i < 10; i++) matches('m1');
    expect(asked).toBe(5_001);
  });
});
