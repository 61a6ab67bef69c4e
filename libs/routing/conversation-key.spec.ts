import { conversationKey } from './conversation-key.js';

const key = (body: unknown, session: string | null = null, owner = 'key_1'): string | null =>
  conversationKey(owner, session, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const user = (content: unknown): unknown => ({ role: 'user', content });
const assistant = (content: unknown): unknown => ({ role: 'assistant', content });

describe('conversationKey', () => {
  it.each<[string, unknown, unknown]>([
    [
      'OpenAI chat',
      { model: 'm', messages: [{ role: 'system', content: 's' }, user('hi, "you"')] },
      {
        model: 'm',
        messages: [{ role: 'system', content: 's' }, user('hi, "you"'), assistant('x'), user('more')],
        top_p: 1,
      },
    ],
    [
      'Anthropic',
      { system: 's', messages: [user([{ type: 'text', text: 'a]b' }])] },
      { system: 's', messages: [user([{ type: 'text', text: 'a]b' }]), assistant('x'), user('y')] },
    ],
    [
      'Gemini',
      { contents: [{ role: 'user', parts: [{ text: 'a' }] }] },
      {
        contents: [
          { role: 'user', parts: [{ text: 'a' }] },
          { role: 'model', parts: [] },
        ],
      },
    ],
    [
      'Responses',
      { instructions: 'i', input: [user('a')] },
      { instructions: 'i', input: [user('a'), assistant('b'), user('c')] },
    ],
    [
      'a named cache',
      { prompt_cache_key: 'k', messages: [user('a')] },
      { prompt_cache_key: 'k', messages: [user('b')] },
    ],
  ])('RTE-3: %s: later turns have the key of the first', (_name, first, later) => {
    expect(key(first)).not.toBeNull();
    expect(key(later)).toBe(key(first));
  });

  it('RTE-3: other conversations, other keys and other system prompts are other conversations', () => {
    const all = [
      key({ messages: [user('a')] }),
      key({ messages: [user('b')] }),
      key({ system: 's', messages: [user('a')] }),
      key({ messages: [user('a')] }, null, 'key_2'),
      key({ messages: [user('a')] }, 'session'),
      key({ input: 'a' }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('a session of the client goes before the text', () => {
    expect(key({ messages: [user('a')] }, 's')).toBe(key({ messages: [user('b')] }, 's'));
  });

  it.each(['', '{', '[]', '{}', '{"messages":', 'null'])('has no key for %j', (body) => {
    expect(key(body)).toBeNull();
  });

  it.each(['{"messages":[]}', '{"messages":[1,2,3]}', '{"messages":"x"}', '{"messages":{"role":"user"}}'])(
    'takes odd turns as they are: %s',
    (body) => {
      expect(key(body)).toBe(key(body));
    },
  );
});
