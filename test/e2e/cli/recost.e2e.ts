import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openPartitions, PostgresRowWriter, USAGE_TABLE, type UsageEvent } from '#libs/ledger/index.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { connectPostgres, migrate, timePartitions } from '#libs/stores/index.js';
import { startTestPostgres, type TestPostgres } from '#libs/stores/testing.js';
import { runCli } from '../harness.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sf-recost-'));
const file = path.join(folder, 'smartflow.yaml');
let postgres: TestPostgres;

const EVENT: UsageEvent = {
  id: `req_${uuidv7()}`,
  orgId: 'org_default',
  keyId: 'key_1',
  keyName: 'ci',
  team: null,
  user: null,
  app: null,
  tags: [],
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
    inputTokens: 1_000_000,
    cachedInputTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    webSearchRequests: 0,
    details: null,
    raw: '{"prompt_tokens":1000000,"completion_tokens":0}',
  },
  usageSource: 'measured',
  costNanos: 0,
  priceVersion: null,
  costEstimates: [],
  latencyMs: 1,
  firstByteMs: 1,
  attempts: 1,
  chain: null,
  requestId: null,
  traceId: null,
};

beforeAll(async () => {
  postgres = await startTestPostgres();
  await migrate(postgres.ownerUrl);
  const source = await connectPostgres(postgres.ownerUrl, { poolSize: 2, applicationName: 'test' });
  await openPartitions(source, USAGE_TABLE);
  const writer = new PostgresRowWriter({ source, partitions: timePartitions(source, 'usage_events', 'day') });
  const row = { state: 'settled', processId: 'test', boundNanos: 0, budgets: [], event: EVENT } as const;
  await writer.commit([{ processId: 'test', from: 0, to: 1, rows: [row] }]);
  await source.destroy();
  writeFileSync(file, JSON.stringify({ prices: { 'demo/echo': { input: 7, output: 1 } } }));
}, 60_000);
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

const day = (offset: number): string => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
const recost = (...args: string[]) =>
  runCli(['recost', '--config', file, ...args], { env: { DATABASE_URL: postgres.ownerUrl.reveal() } });

it('KEY-5, IAM-5: smartflow recost shows the difference, applies it on wish and on record, and then has nothing to do', async () => {
  const range = ['--from', day(-1), '--to', day(1)];
  const dry = await recost(...range);
  expect([dry.code, dry.stdout]).toEqual([
    0,
    'demo/echo: 1 rows, 0 → 7 USD\n1 rows with usage, 1 would change; nothing was written, add --apply\n',
  ]);
  expect((await recost(...range, '--apply')).stdout).toContain('1 changed; what was booked stands beside it');
  expect((await recost(...range, '--apply')).stdout).toBe('1 rows with usage, 0 change\n');
  const source = await connectPostgres(postgres.ownerUrl, { poolSize: 1, applicationName: 'test' });
  const noted = await source.query(`SELECT object_id FROM audit_log WHERE action = 'ledger.recost'`);
  await source.destroy();
  expect(noted).toHaveLength(2); // IAM-5: who moves what was spent is on record
}, 120_000);

it.each([
  [[], '--from is needed'],
  [['--from', day(0)], '--to is needed'],
  [['--from', 'yesterday', '--to', day(0)], '"yesterday"'],
  [['--from', '2026-11-01T00:00:00', '--to', day(0)], 'with offset'],
  [['--from', day(0), '--to', day(0)], '--to must be after --from'],
])(
  'KEY-5: recost %j is refused with a sentence',
  async (args, sentence) => {
    const { code, stderr } = await recost(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
  },
  60_000,
);
