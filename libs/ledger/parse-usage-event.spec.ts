import { newId } from '#libs/platform/ids.js';
import { parseUsageBatch } from './parse-usage-event.js';
import type { UsageEvent } from './usage-event.js';

function event(changes: Partial<Record<keyof UsageEvent, unknown>> = {}): Record<string, unknown> {
  return {
    id: newId('req'),
    orgId: 'org_default',
    keyId: 'key_1',
    keyName: 'ci',
    team: null,
    user: null,
    app: null,
    tags: ['a'],
    route: '/v1/chat/completions',
    dialect: 'openai',
    provider: 'demo',
    modelRequested: 'demo/echo',
    model: 'echo',
    stream: false,
    status: 200,
    upstreamStatus: 200,
    error: null,
    usage: {
      inputTokens: 5,
      cachedInputTokens: 0,
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens: 7,
      reasoningTokens: 0,
      webSearchRequests: 0,
      details: {
        serviceTier: 'priority',
        parts: [
          {
            kind: 'compaction',
            model: null,
            inputTokens: 5,
            cachedInputTokens: 0,
            cacheWrite5mTokens: 0,
            cacheWrite1hTokens: 0,
            outputTokens: 7,
            reasoningTokens: 0,
            inputAudioTokens: 2,
          },
        ],
      },
      raw: '{"prompt_tokens":5}',
    },
    usageSource: 'measured',
    costNanos: 1200,
    priceVersion: '2026-11-01',
    costEstimates: ['tier_price'],
    latencyMs: 12,
    firstByteMs: 8,
    attempts: 1,
    traceId: null,
    ...changes,
  };
}

describe('parseUsageBatch', () => {
  it('KEY-6: reads what the gateway wrote, unchanged', () => {
    const written = [
      event(),
      event({ usage: null, usageSource: 'none', team: 'research', error: 'client_gone', status: 499 }),
    ];
    expect(parseUsageBatch(JSON.stringify(written))).toEqual({ events: written, refused: [] });
  });

  it('ignores fields of a newer gateway', () => {
    const { events, refused } = parseUsageBatch(JSON.stringify([{ ...event(), invented: { later: true } }]));
    expect(refused).toEqual([]);
    expect(events[0]).not.toHaveProperty('invented');
  });

  it.each(['', '{"id":1}', '[', 'null', '"text"', '\u0000'])('refuses %j as a whole and keeps it', (json) => {
    const { events, refused } = parseUsageBatch(json);
    expect(events).toEqual([]);
    expect(refused).toEqual([{ payload: json, reason: expect.stringMatching(/^not/) as string }]);
  });

  it.each([
    ['an id without a time', { id: 'req_123' }],
    ['an id of something else', { id: newId('key') }],
    ['no organisation', { orgId: undefined }],
    ['a cost that is no whole number', { costNanos: 0.5 }],
    ['a cost beyond exact numbers', { costNanos: 2 ** 60 }],
    ['a negative cost', { costNanos: -1 }],
    ['a status as text', { status: '200' }],
  ])('KEY-6: %s concerns that event alone, not its neighbours', (_, changes) => {
    const good = event();
    const { events, refused } = parseUsageBatch(JSON.stringify([event(changes), good, 7, null]));
    expect(events).toEqual([good]);
    expect(refused).toHaveLength(3);
  });

  it.each([
    [-1, -1],
    [2.9, 2],
    [1e300, Number.MAX_SAFE_INTEGER],
    [null, 0],
    ['5', 0],
  ])('KEY-6: a provider that reports %p tokens does not cost the row', (reported, kept) => {
    const usage = { ...(event()['usage'] as object), inputTokens: reported };
    expect(parseUsageBatch(JSON.stringify([event({ usage })])).events[0]?.usage?.inputTokens).toBe(kept);
  });

  it('texts are made storable: no NUL, no lone surrogates, bounded length', () => {
    const { events } = parseUsageBatch(
      JSON.stringify([event({ modelRequested: 'a\u0000b\ud800c', model: 'm'.repeat(10_000), tags: ['t\u0000'] })]),
    );
    expect(events[0]).toMatchObject({ modelRequested: 'ab\ufffdc', model: 'm'.repeat(512), tags: ['t'] });
  });
});
