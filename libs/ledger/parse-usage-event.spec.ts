import { newId } from '#libs/platform/ids.js';
import { parseUsageEvent } from './parse-usage-event.js';
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
    chain: null,
    requestId: null,
    traceId: null,
    ...changes,
  };
}

/** As it comes out of the stream. */
const parse = (written: unknown) => parseUsageEvent(JSON.parse(JSON.stringify(written)));
const parsed = (written: unknown): UsageEvent | null => {
  const result = parse(written);
  return 'event' in result ? result.event : null;
};

describe('parseUsageEvent', () => {
  it('KEY-6: reads what the gateway wrote, unchanged', () => {
    const written = [
      event(),
      event({ usage: null, usageSource: 'none', team: 'research', error: 'client_gone', status: 499 }),
    ];
    expect(written.map(parsed)).toEqual(written);
  });

  it('ignores fields of a newer gateway', () => {
    const read = parsed({ ...event(), invented: { later: true } });
    expect(read).not.toBeNull();
    expect(read).not.toHaveProperty('invented');
  });

  it.each([
    ['an id without a time', { id: 'req_123' }],
    ['an id of something else', { id: newId('key') }],
    ['no organisation', { orgId: undefined }],
    ['a cost that is no whole number', { costNanos: 0.5 }],
    ['a cost beyond exact numbers', { costNanos: 2 ** 60 }],
    ['a negative cost', { costNanos: -1 }],
    ['a status as text', { status: '200' }],
  ])('KEY-6: %s is refused with a reason', (_, changes) => {
    expect(parse(event(changes))).toEqual({ reason: expect.stringMatching(/./) as string });
  });

  it.each([7, null, 'text', []])('KEY-6: %j is no event', (written) => {
    expect(parsed(written)).toBeNull();
  });

  it.each([
    [-1, -1],
    [2.9, 2],
    [1e300, Number.MAX_SAFE_INTEGER],
    [null, 0],
    ['5', 0],
  ])('KEY-6: a provider that reports %p tokens does not cost the row', (reported, kept) => {
    const usage = { ...(event()['usage'] as object), inputTokens: reported };
    expect(parsed(event({ usage }))?.usage?.inputTokens).toBe(kept);
  });

  it('texts are made storable: no NUL, no lone surrogates, bounded length', () => {
    const read = parsed(event({ modelRequested: 'a\u0000b\ud800c', model: 'm'.repeat(10_000), tags: ['t\u0000'] }));
    expect(read).toMatchObject({ modelRequested: 'ab\ufffdc', model: 'm'.repeat(512), tags: ['t'] });
  });
});
