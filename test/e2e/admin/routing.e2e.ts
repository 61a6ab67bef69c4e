import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startProduct, type Product } from '../harness.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by assertions
  readonly json: any;
}

const CHAINS = '/api/routing/fallback-chains';
const steps = [
  { targets: [{ model: 'anthropic/claude-sonnet-5', timeout_ms: 60_000 }] },
  { strategy: 'latency', targets: [{ model: 'openai/gpt-5', weight: 2 }, { model: 'fast' }] },
];

describe('/api/routing', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({
      bundledStores: true,
      config: {
        providers: {
          openai: { type: 'openai', api_key: 'sk-x' },
          anthropic: { type: 'anthropic', api_key: 'sk-y' },
        },
        models: { fast: { target: 'openai/gpt-5-mini', chain: 'declared' } },
        fallback_chains: {
          declared: { steps: [{ targets: [{ model: 'anthropic/claude-sonnet-5' }] }], retry: { max_attempts: 3 } },
        },
      },
    });
  }, 120_000);
  afterAll(() => product?.cleanUp(), 60_000);

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${product.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${product.adminToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text === '' ? undefined : JSON.parse(text) };
  }
  const simulate = (body: unknown): Promise<Answer> => call('POST', '/api/routing/simulate', body);
  const idsOf = (answer: Answer): string[] => answer.json.path.map((one: { target: string }) => one.target);

  it('RTE-1, CFG-5: a chain is made in the shape of the file, found by id and by name, and shown with its defaults', async () => {
    const made = await call('POST', `${CHAINS}?wait=applied`, { name: 'resilient', steps, retry: { max_attempts: 5 } });
    expect(made.status).toBe(201);
    expect(made.headers.get('x-smartflow-applied')).toBe('1/1');
    expect(made.json).toEqual({
      id: expect.stringMatching(/^chain_[0-9a-f-]{36}$/),
      name: 'resilient',
      steps: [
        { strategy: 'weighted', targets: [{ model: 'anthropic/claude-sonnet-5', weight: 1, timeout_ms: 60_000 }] },
        {
          strategy: 'latency',
          targets: [
            { model: 'openai/gpt-5', weight: 2 },
            { model: 'fast', weight: 1 },
          ],
        },
      ],
      retry: { max_attempts: 5, after_content: 'give' },
      errors: {},
      affinity: 'conversation',
      source: 'api',
      faults: [],
      version: expect.any(Number),
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect(made.headers.get('etag')).toBe(`"${made.json.version}"`);
    for (const id of ['resilient', made.json.id]) {
      expect((await call('GET', `${CHAINS}/${id}`)).json).toEqual(made.json);
    }
    const audit = await call('GET', '/api/audit?limit=5');
    expect(JSON.stringify(audit.json)).toContain('chain.create');
  });

  it('RTE-1: PUT replaces, PATCH changes what is given, null takes away, and what is shown can be sent back', async () => {
    const { json: made } = await call('POST', CHAINS, { name: 'changing', steps, errors: { content_refusal: 'next' } });
    const { name, steps: shown, retry, errors, affinity } = made;
    const same = await call('PUT', `${CHAINS}/changing`, { name, steps: shown, retry, errors, affinity });
    expect([same.status, same.json.errors]).toEqual([200, { content_refusal: 'next' }]);
    const put = await call('PUT', `${CHAINS}/${made.id}`, { steps: [steps[0]] });
    expect([put.json.steps.length, put.json.errors]).toEqual([1, {}]);
    const patch = await call('PATCH', `${CHAINS}/changing`, { retry: { max_attempts: 2 }, affinity: 'none' });
    expect(patch.json).toMatchObject({ retry: { max_attempts: 2 }, affinity: 'none', steps: put.json.steps });
    const back = await call('PATCH', `${CHAINS}/changing`, { retry: null });
    expect(back.json.retry).toEqual({ after_content: 'give' });
    const late = await call('PATCH', `${CHAINS}/changing`, { affinity: 'none' }, { 'if-match': `"${made.version}"` });
    expect([late.status, late.json.code]).toEqual([409, 'conflict']);
    const renamed = await call('PATCH', `${CHAINS}/changing`, { name: 'other' });
    expect([renamed.status, renamed.json.errors[0].path]).toEqual([400, 'name']);
    expect((await call('DELETE', `${CHAINS}/changing?wait=applied`)).status).toBe(204);
    expect((await call('GET', `${CHAINS}/changing`)).status).toBe(404);
    expect((await call('DELETE', `${CHAINS}/changing`)).status).toBe(404);
    expect((await call('PUT', `${CHAINS}/changing`, { steps })).status).toBe(404);
  });

  it.each<[string, unknown, string]>([
    ['empty', { name: 'bad', steps: [] }, 'steps'],
    ['without steps', { name: 'bad' }, 'steps'],
    ['with an empty step', { name: 'bad', steps: [{ targets: [] }] }, 'steps[0].targets'],
    ['that names itself', { name: 'bad', steps: [{ targets: [{ model: 'bad' }] }] }, 'steps[0].targets[0].model'],
    [
      'with an unknown provider',
      { name: 'bad', steps: [{ targets: [{ model: 'opnai/x' }] }] },
      'steps[0].targets[0].model',
    ],
    [
      'with an unknown model',
      { name: 'bad', steps: [{ targets: [{ model: 'nobody' }] }] },
      'steps[0].targets[0].model',
    ],
    [
      'with an unknown strategy',
      { name: 'bad', steps: [{ strategy: 'best', targets: [{ model: 'fast' }] }] },
      'steps[0].strategy',
    ],
    [
      'with a bad weight',
      { name: 'bad', steps: [{ targets: [{ model: 'fast', weight: -1 }] }] },
      'steps[0].targets[0].weight',
    ],
    [
      'with a bad timeout',
      { name: 'bad', steps: [{ targets: [{ model: 'fast', timeout_ms: 'x' }] }] },
      'steps[0].targets[0].timeout_ms',
    ],
    ['with an unknown field', { name: 'bad', steps, retires: 1 }, 'retires'],
    ['without a name', { steps }, 'name'],
    ['with a name that is none', { name: 'a b', steps }, 'name'],
    ['with the name of a model', { name: 'fast', steps }, 'name'],
    ['with a name that leads to a provider', { name: 'gpt-5', steps }, 'name'],
  ])('RTE-1: a chain %s is refused and the field named', async (_what, body, path) => {
    const refused = await call('POST', CHAINS, body);
    expect([refused.status, refused.json.code]).toEqual([400, 'invalid_request']);
    expect(refused.json.errors.map((one: { path: string }) => one.path)).toContain(path);
  });

  it('RTE-1: circles through other chains, names that are taken, and the loss of a chain that others use are refused', async () => {
    await call('POST', CHAINS, { name: 'inner', steps: [{ targets: [{ model: 'fast' }] }] });
    await call('POST', CHAINS, { name: 'outer', steps: [{ targets: [{ model: 'inner' }] }] });
    const circle = await call('PATCH', `${CHAINS}/inner`, { steps: [{ targets: [{ model: 'outer' }] }] });
    expect([circle.status, circle.json.errors]).toEqual([
      400,
      [{ path: 'steps[0].targets[0].model', message: 'leads back to this chain (inner → outer → inner)' }],
    ]);
    for (const name of ['inner', 'INNER', 'declared']) {
      expect([name, (await call('POST', CHAINS, { name, steps })).status]).toEqual([name, 409]);
    }
    const used = await call('DELETE', `${CHAINS}/inner`);
    expect([used.status, used.json.detail]).toEqual([409, 'It is a target of the chain "outer".']);
    const key = await call('POST', '/api/keys', { name: 'chained', chain: 'outer' });
    const named = await call('DELETE', `${CHAINS}/outer`);
    expect([named.status, named.json.detail]).toEqual([409, 'It stands behind the key "chained".']);
    expect((await call('DELETE', `/api/keys/${key.json.id}`)).status).toBeLessThan(300);
    expect((await call('DELETE', `${CHAINS}/outer`)).status).toBe(204);
    expect((await call('DELETE', `${CHAINS}/inner`)).status).toBe(204);
  });

  it('CFG-1: a chain of the file is listed as such and cannot be changed here; lists are paged by name', async () => {
    const { json } = await call('GET', `${CHAINS}/declared`);
    expect(json).toMatchObject({ id: 'chain_file_declared', source: 'file', version: 0, retry: { max_attempts: 3 } });
    for (const id of ['declared', 'chain_file_declared']) {
      for (const [method, body] of [
        ['PUT', { steps }],
        ['PATCH', {}],
        ['DELETE', undefined],
      ] as const) {
        const refused = await call(method, `${CHAINS}/${id}`, body);
        expect([method, refused.status, refused.json.code]).toEqual([method, 409, 'file_owned']);
      }
    }
    for (const name of ['page-a', 'page-b', 'page-c']) await call('POST', CHAINS, { name, steps });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Answer = await call('GET', `${CHAINS}?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.json.items.map((one: { name: string }) => one.name));
      cursor = page.json.nextCursor;
    }
    expect(seen).toEqual([...seen].sort());
    expect(seen).toEqual(expect.arrayContaining(['declared', 'page-a', 'page-b', 'page-c', 'resilient']));
    expect((await call('GET', `${CHAINS}?cursor=%00`)).status).toBe(400);
  });

  it('RTE-4: a dry run shows the path for a sequence of errors', async () => {
    const run = await simulate({ chain: 'resilient', errors: [429, 529, 'timeout'], context: { conversation: 'c' } });
    expect(run.status).toBe(200);
    expect(idsOf(run).slice(0, 2)).toEqual(['anthropic/claude-sonnet-5', 'anthropic/claude-sonnet-5']);
    expect(run.json).toMatchObject({
      chain: 'resilient',
      outcome: 'served',
      served: { provider: 'openai' },
      attempts: 4,
      refusal: null,
      unused_errors: 0,
      headers: { 'x-smartflow-attempts': '4', 'x-smartflow-chain': 'resilient', 'x-smartflow-provider': 'openai' },
    });
    expect(run.json.path[0]).toMatchObject({
      attempt: 1,
      step: 0,
      provider: 'anthropic',
      model: 'claude-sonnet-5',
      error: 429,
      class: 'rate_limit',
      action: 'retry',
      at_ms: 0,
      timeout_ms: 60_000,
    });
    expect(run.json.path.map((one: { action: string }) => one.action)).toEqual(['retry', 'next', 'retry', 'served']);
    const mistake = await simulate({ chain: 'resilient', errors: [400] });
    expect([mistake.json.outcome, mistake.json.attempts, mistake.json.path[0].action]).toEqual(['failed', 1, 'give']);
  });

  it('RTE-4: of a model: by itself, with the chain behind it, and with the chain of a key', async () => {
    const alone = await simulate({ model: 'openai/gpt-5', errors: [500] });
    expect([alone.json.chain, alone.json.outcome]).toEqual([null, 'failed']);
    const behind = await simulate({ model: 'fast', errors: [401] });
    expect([behind.json.chain, idsOf(behind)]).toEqual([
      'declared',
      ['openai/gpt-5-mini', 'anthropic/claude-sonnet-5'],
    ]);
    const keys = await simulate({ model: 'openai/gpt-5', errors: [404], context: { key_chain: 'declared' } });
    expect(idsOf(keys)).toEqual(['openai/gpt-5', 'anthropic/claude-sonnet-5']);
    expect((await simulate({ model: 'nobody' })).status).toBe(404);
  });

  it('RTE-4: says what a caller is told while all targets cool down', async () => {
    const run = await simulate({ chain: 'declared', context: { cooling: ['anthropic/claude-sonnet-5'] } });
    expect(run.json).toMatchObject({ outcome: 'unavailable', attempts: 0, served: null });
    expect(run.json.refusal).toContain('anthropic/claude-sonnet-5 cools down');
  });

  it.each([
    [{}],
    [{ chain: 'resilient', model: 'fast' }],
    [{ chain: 'resilient', errors: ['nonsense'] }],
    [{ chain: 'resilient', errors: [1] }],
    [{ chain: 'resilient', errors: 'timeout' }],
    [{ chain: 'resilient', errors: Array.from({ length: 51 }, () => 500) }],
    [{ chain: 'resilient', context: { seed: -1 } }],
    [{ chain: 'resilient', context: { unknown: 1 } }],
    [{ chain: 'resilient', context: { cooling: ['zz/y'] } }],
    [{ chain: 'resilient', context: { key_chain: 'nope' } }],
    [{ chain: 5 }],
  ])('RTE-4: refuses the dry run %j', async (body) => {
    const refused = await simulate(body);
    expect([refused.status, refused.json.code]).toEqual([400, 'invalid_request']);
  });

  it('RTE-4: every target is listed with its state and since when; a dry run changes nothing about it', async () => {
    await simulate({ chain: 'resilient', errors: [401, 401, 401] });
    const { json, status } = await call('GET', '/api/routing/targets');
    expect(status).toBe(200);
    const found = json.items.find((one: { target: string }) => one.target === 'anthropic/claude-sonnet-5');
    expect(found).toEqual({
      target: 'anthropic/claude-sonnet-5',
      provider: 'anthropic',
      model: 'claude-sonnet-5',
      state: 'closed',
      since: expect.stringMatching(/^\d{4}-.*Z$/),
      retry_at: null,
      reason: null,
      error_rate: 0,
      calls: 0,
      in_flight: 0,
      latency_ms: null,
      chains: expect.arrayContaining(['declared', 'resilient']),
    });
    expect(json.items.map((one: { target: string }) => one.target)).toEqual(
      expect.arrayContaining(['openai/gpt-5', 'openai/gpt-5-mini']),
    );
  });
});
