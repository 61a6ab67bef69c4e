import { awsError, eventStream } from '#test/fakes/clouds/fake-bedrock.js';
import { chunkFrame, exceptionFrame } from '#test/fakes/clouds/event-frames.js';
import { json } from '#test/fakes/upstream/behaviour.js';
import { eventually } from '../harness.js';
import { post } from '../proxy/proxied-product.js';
import { CLAUDE, CLOUD_SECRETS, startCloudProduct, type CloudProduct } from './cloud-product.js';

let running: CloudProduct;
let bannerEnd: number;
beforeAll(async () => {
  running = await startCloudProduct();
  bannerEnd = running.product.logs().length;
}, 120_000);
afterAll(() => running?.stop(), 60_000);

const message = { max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] };
const claude = (model: string, more: object = {}): Promise<Response> =>
  post(running.product, '/anthropic/v1/messages', { model, ...message, ...more });
const chat = (model: string): Promise<Response> =>
  post(running.product, '/v1/chat/completions', { model, messages: message.messages });

it('OBS-3: no credential of a cloud, configured or fetched, reaches an answer, the log or the admin API, whatever goes wrong', async () => {
  const { azure, bedrock, sts, vertex, product } = running;
  const shown: string[] = [];
  const show = async (answer: Promise<Response>, status?: number): Promise<void> => {
    const got = await answer;
    if (status !== undefined) expect(got.status).toBe(status);
    shown.push(await got.text(), JSON.stringify([...got.headers]));
  };
  // well, so that tokens are fetched
  for (const model of ['claude-bedrock', `bedrock_role/${CLAUDE}`, `bedrock_key/${CLAUDE}`, 'claude-vertex'])
    await show(claude(model), 200);
  for (const model of ['azure-v1', 'azure-dated', 'azure-dated-entra']) await show(chat(model), 200);
  const fetched = [...vertex.tokens, ...azure.tokens.keys()];
  expect(fetched.length).toBeGreaterThanOrEqual(3);

  // upstreams that quote what they got: in errors, in headers, in the middle of a stream
  for (const model of ['claude-bedrock', `bedrock_role/${CLAUDE}`, `bedrock_key/${CLAUDE}`]) {
    const own = ownSecrets(model);
    bedrock.respond('next', awsError(403, 'InvalidSignatureException', `you sent ${own}`));
    await show(claude(model));
    bedrock.respond('next', json({ content: [] }, { headers: { 'x-echo': own } }));
    await show(claude(model));
    bedrock.respond('next', eventStream([chunkFrame('{"type":"ping"}'), exceptionFrame('validationException', own)]));
    await show(claude(model, { stream: true }));
  }
  bedrock.keys.clear();
  await show(claude('claude-bedrock')); // the canonical request with the session token
  azure.tokens.clear();
  await show(chat('azure-v1'));
  vertex.tokens.clear();
  await show(claude('claude-vertex'));
  await show(post(product, '/gemini/v1beta/models/gemini-vertex:generateContent', { contents: [] }));
  // token services that quote what they got
  await show(chat('azure_wrong/gpt-5'));
  await show(claude(`bedrock_lost/${CLAUDE}`));
  expect(sts.requests.length).toBeGreaterThan(0);

  const admin = (path: string): Promise<Response> =>
    fetch(product.url + path, { headers: { authorization: `Bearer ${product.adminToken}` } });
  const rows = await eventually('the rows', 5000, async () => {
    const text = await (await admin('/api/logs?limit=50')).text();
    return (JSON.parse(text) as { items: unknown[] }).items.length >= 20 ? text : null;
  });
  shown.push(rows);
  for (const { id } of (JSON.parse(rows) as { items: { id: string }[] }).items) await show(admin(`/api/logs/${id}`));
  for (const path of ['/metrics', '/health/ready', '/']) await show(admin(path));
  shown.push(product.logs().slice(bannerEnd));

  const privateKey = (JSON.parse(vertex.serviceAccount) as { private_key: string }).private_key.split('\n')[1]!;
  for (const secret of [...Object.values(CLOUD_SECRETS), ...fetched, 'canary-wrong-entra-secret', privateKey]) {
    const found = shown.filter((text) => text.includes(secret)).map((text) => text.slice(0, 300));
    expect({ secret, found }).toEqual({ secret, found: [] });
  }
}, 60_000);

/** What a provider was given, and so could quote. */
function ownSecrets(model: string): string {
  const { awsSecret, awsToken, roleSecret, roleToken, bedrockKey } = CLOUD_SECRETS;
  if (model === 'claude-bedrock') return `${awsSecret} ${awsToken}`;
  return model.startsWith('bedrock_role') ? `${roleSecret} ${roleToken}` : bedrockKey;
}
