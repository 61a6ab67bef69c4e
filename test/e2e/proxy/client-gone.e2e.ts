// Callers who leave in mid-call, by provider policy: always one settled row, and how much of the usage it knows.
import { bytes, hang, sse, type Behaviour, type Piece } from '#test/fakes/upstream/behaviour.js';
import { recordings, replay } from '#test/fakes/upstream/recordings.js';
import type { RecordedRequest } from '#test/fakes/upstream/recorded-request.js';
import { startFakeUpstream, type FakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { eventually, startProduct, type Product } from '../harness.js';

interface Row {
  readonly id: string;
  readonly status: number;
  readonly error: string | null;
  readonly usageSource: string;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly provider: string;
}

/** One call in each dialect: what the caller sends, and what a provider streams back. */
interface Call {
  readonly dialect: string;
  path(provider: string): string;
  body(provider: string): unknown;
  readonly recording: typeof recordings.chatStream;
}

const calls: readonly Call[] = [
  {
    dialect: 'OpenAI',
    path: () => '/v1/chat/completions',
    body: (provider) => ({ model: `${provider}-openai/gpt-5`, stream: true, messages: [] }),
    recording: recordings.chatStream,
  },
  {
    dialect: 'Anthropic',
    path: () => '/anthropic/v1/messages',
    body: (provider) => ({ model: `${provider}-anthropic/claude-sonnet-5`, stream: true, max_tokens: 9, messages: [] }),
    recording: recordings.messagesStream,
  },
  {
    dialect: 'Gemini',
    path: (provider) => `/gemini/v1beta/models/${provider}-google/gemini-3-pro-preview:streamGenerateContent?alt=sse`,
    body: () => ({ contents: [] }),
    recording: recordings.generateStream,
  },
];

let upstream: FakeUpstream;
let product: Product;

beforeAll(async () => {
  upstream = await startFakeUpstream();
  const providers: Record<string, unknown> = {};
  const policies = {
    draining: { on_client_gone: 'drain' },
    cancelling: {},
    brief: { on_client_gone: 'drain', client_gone_ms: 0 },
    narrow: { on_client_gone: 'drain', client_gone_bytes: 20_000 },
  };
  for (const [name, policy] of Object.entries(policies)) {
    for (const type of ['openai', 'anthropic', 'google']) {
      const base_url = type === 'openai' ? `${upstream.url}/v1` : upstream.url;
      providers[`${name}-${type}`] = { type, base_url, api_key: 'sk-upstream-1234567890', ...policy };
    }
  }
  product = await startProduct({
    config: { egress: { allow: ['127.0.0.0/8'] }, limits: { client_gone_calls: 2 }, providers },
  });
}, 120_000);
afterAll(async () => {
  await product?.stop();
  await upstream?.stop();
}, 60_000);
beforeEach(() => upstream.reset());

/** Begins a call; `leave` closes its connection, `begun` resolves with the first bytes of the answer. */
function begin(call: Call, provider: string): { leave(): void; begun: Promise<Response>; firstBytes(): Promise<void> } {
  const gone = new AbortController();
  const begun = fetch(product.url + call.path(provider), {
    method: 'POST',
    signal: gone.signal,
    headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(call.body(provider)),
  });
  begun.catch(() => {});
  return {
    leave: () => gone.abort(),
    begun,
    firstBytes: async () => {
      await (await begun).body?.getReader().read();
    },
  };
}

const seen = new Set<string>();

/** The rows that were not there before, once there are `count`; a moment later there are still no more. */
async function newRows(count: number): Promise<Row[]> {
  const read = async (): Promise<Row[]> => {
    const answer = await fetch(`${product.url}/api/logs?limit=200`, {
      headers: { authorization: `Bearer ${product.adminToken}` },
    });
    const { items } = (await answer.json()) as { items: Row[] };
    return items.filter(({ id }) => !seen.has(id));
  };
  await eventually(`${count} rows`, 8000, async () => ((await read()).length >= count ? true : null));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const rows = await read();
  for (const { id } of rows) seen.add(id);
  expect(rows).toHaveLength(count);
  return rows;
}

const leftBy = (request: RecordedRequest): Promise<unknown> =>
  Promise.race([request.closedByClient, new Promise((resolve) => setTimeout(resolve, 3000, 'still open'))]);

/** An event stream with pauses. */
function events(pieces: readonly Piece[], end: 'clean' | 'reset' = 'clean'): Behaviour {
  return bytes(pieces, { end, headers: { 'content-type': 'text/event-stream' } });
}

/** Sends a frame, waits until the caller is gone, then goes on to the end. */
function slowly(call: Call, pauseMs = 600): Behaviour {
  const { frames } = call.recording;
  return events([frames[0] as string, { waitMs: pauseMs }, ...frames.slice(1)]);
}

describe.each(calls)('a caller of the $dialect dialect who leaves', (call) => {
  const { usage } = call.recording;
  const whole = { inputTokens: usage?.inputTokens, outputTokens: usage?.outputTokens };

  it('KEY-6: mid-stream, drained: one row with the whole usage, the upstream is read to its end', async () => {
    upstream.respond('next', slowly(call));
    const caller = begin(call, 'draining');
    await caller.firstBytes();
    caller.leave();
    const request = await upstream.waitForRequest(1);
    const [row] = await newRows(1);
    expect(row).toMatchObject({ status: 499, error: 'client_gone', usageSource: 'measured', ...whole });
    expect(await request.closedByClient).toBe(false);
  });

  it('KEY-6: before the headers, drained: one row with the whole usage', async () => {
    upstream.respond('next', replay(call.recording, { beforeMs: 600 }));
    const caller = begin(call, 'draining');
    const request = await upstream.waitForRequest(1);
    caller.leave();
    const [row] = await newRows(1);
    expect(row).toMatchObject({ status: 499, error: 'client_gone', usageSource: 'measured', ...whole });
    expect(await request.closedByClient).toBe(false);
  });

  it('KEY-6: after the last event, before the connection ended: one row like that of a call that was heard out', async () => {
    for (const provider of ['draining', 'cancelling']) {
      upstream.reset();
      upstream.respond('next', sse(call.recording.frames, { end: 'hang' }));
      const caller = begin(call, provider);
      const reader = (await caller.begun).body!.getReader();
      const last = (call.recording.frames.at(-1) as string).trim();
      let text = '';
      while (!text.trim().endsWith(last)) {
        const part = await reader.read();
        if (part.done) break;
        text += Buffer.from(part.value).toString();
      }
      caller.leave();
      const [row] = await newRows(1);
      expect(row).toMatchObject({ status: 200, error: null, usageSource: 'measured', ...whole });
    }
  });

  it('LLM-8: cancelled by default: the upstream call ends at once, one row says what was seen', async () => {
    upstream.respond('next', slowly(call, 5000));
    const caller = begin(call, 'cancelling');
    await caller.firstBytes();
    caller.leave();
    const request = await upstream.waitForRequest(1);
    expect(await leftBy(request)).toBe(true);
    const [row] = await newRows(1);
    expect(row).toMatchObject({ status: 499, error: 'client_gone' });
    expect(row?.usageSource).not.toBe('measured');
  });

  it('LLM-8: a drained stream is given up at its bound of time', async () => {
    upstream.respond('next', slowly(call, 8000));
    const caller = begin(call, 'brief');
    await caller.firstBytes();
    caller.leave();
    expect(await leftBy(await upstream.waitForRequest(1))).toBe(true);
    const [row] = await newRows(1);
    expect(row).toMatchObject({ status: 499, error: 'client_gone' });
    expect(row?.usageSource).not.toBe('measured');
  });

  it('LLM-8: a drained stream is given up at its bound of bytes', async () => {
    const [first = '', ...rest] = call.recording.frames;
    const filler = Array.from({ length: 40 }, () => `: ${'x'.repeat(1000)}\n\n`);
    upstream.respond('next', events([first, { waitMs: 500 }, ...filler, { waitMs: 4000 }, ...rest]));
    const caller = begin(call, 'narrow');
    await caller.firstBytes();
    caller.leave();
    expect(await leftBy(await upstream.waitForRequest(1))).toBe(true);
    expect((await newRows(1))[0]).toMatchObject({ status: 499, error: 'client_gone' });
  });
});

const [chat] = calls as [Call];

describe('a drained call', () => {
  it('LLM-8: takes one of a bounded number of places: beyond it calls are cancelled', async () => {
    for (let i = 0; i < 4; i++) upstream.respond('next', slowly(chat, 1500));
    const callers = Array.from({ length: 4 }, () => begin(chat, 'draining'));
    await Promise.all(callers.map((caller) => caller.firstBytes()));
    for (const caller of callers) caller.leave();
    const rows = await newRows(4);
    expect(rows.map(({ usageSource }) => usageSource === 'measured').sort()).toEqual([false, false, true, true]);
    // room again afterwards
    upstream.respond('next', slowly(chat, 200));
    const later = begin(chat, 'draining');
    await later.firstBytes();
    later.leave();
    expect((await newRows(1))[0]).toMatchObject({ usageSource: 'measured' });
  });

  it('KEY-6: an answer in one piece is drained too, and one that fails meanwhile leaves one row', async () => {
    const plain: Call = { ...chat, body: (provider) => ({ model: `${provider}-openai/gpt-5`, messages: [] }) };
    upstream.respond('next', replay(recordings.chat, { beforeMs: 500 }));
    const caller = begin(plain, 'draining');
    await upstream.waitForRequest(1);
    caller.leave();
    const { inputTokens, outputTokens } = recordings.chat.usage as { inputTokens: number; outputTokens: number };
    expect((await newRows(1))[0]).toMatchObject({
      error: 'client_gone',
      usageSource: 'measured',
      inputTokens,
      outputTokens,
    });

    upstream.respond('next', events([recordings.chatStream.frames[0] as string, { waitMs: 400 }], 'reset'));
    const broken = begin(chat, 'draining');
    await broken.firstBytes();
    broken.leave();
    expect((await newRows(1))[0]).toMatchObject({ status: 499, error: 'client_gone' });
  });

  it('LLM-8: a caller who stopped reading before leaving does not keep the upstream paused', async () => {
    const block = `data: {"choices":[{"delta":{"content":"${'x'.repeat(64 * 1024)}"}}]}\n\n`;
    upstream.respond('next', {
      kind: 'answer',
      headers: { 'content-type': 'text/event-stream' },
      body: function* () {
        for (let i = 0; i < 200; i++) yield block;
        yield* recordings.chatStream.frames;
      },
    });
    const caller = begin(chat, 'draining');
    await caller.firstBytes();
    await new Promise((resolve) => setTimeout(resolve, 400));
    caller.leave();
    expect((await newRows(1))[0]).toMatchObject({ error: 'client_gone', usageSource: 'measured' });
  });

  it('OPS-3: a hanging upstream does not hold a drained call for ever, and the metric tells the ends apart', async () => {
    upstream.respond('next', hang);
    const caller = begin(chat, 'brief');
    await upstream.waitForRequest(1);
    caller.leave();
    expect((await newRows(1))[0]).toMatchObject({ error: 'client_gone', usageSource: 'none' });
    const metrics = await (await fetch(`${product.url}/metrics`)).text();
    for (const end of ['complete', 'cancelled', 'no_room', 'drained', 'cut']) {
      expect(metrics).toMatch(new RegExp(`smartflow_client_gone_total\\{end="${end}"\\} [1-9]`));
    }
    expect(metrics).toMatch(/smartflow_calls_draining 0\n/);
    expect(metrics).toMatch(/smartflow_calls_active 0\n/);
  });
});
