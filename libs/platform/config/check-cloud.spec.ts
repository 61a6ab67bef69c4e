import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AzureSettings, BedrockSettings, VertexSettings } from './cloud.js';
import type { SmartflowConfig } from './config.js';
import { loadConfig, type LoadResult } from './load.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-cloud-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function load(provider: object, env: Record<string, string> = {}): LoadResult {
  writeFileSync(join(cwd, 'smartflow.yaml'), JSON.stringify({ providers: { p: provider } }));
  return loadConfig({ env, cwd });
}
function loaded(provider: object, env: Record<string, string> = {}): SmartflowConfig {
  const result = load(provider, env);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.config;
}

const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const account = (more: object = {}): string =>
  JSON.stringify({ type: 'service_account', project_id: 'proj-1', client_email: 'a@b', private_key: pem, ...more });
const entra = { tenant_id: 't-1', client_id: 'c-1', client_secret: 'CANARY' };
const azure = { type: 'azure-openai', base_url: 'https://r.openai.azure.com' };
const bedrock = { type: 'bedrock', region: 'eu-central-1' };
const vertex = { type: 'vertex', location: 'europe-west1' };
const key = { access_key_id: 'AKIA1', secret_access_key: 'CANARY' };

describe('faults name the setting and quote nothing', () => {
  it.each<[object, string, RegExp]>([
    [{ ...azure, api_key: 'k', entra }, 'entra', /either api_key or entra/],
    [{ ...azure, entra: { ...entra, tenant_id: 'a/b' } }, 'entra.tenant_id', /id or a domain/],
    [{ ...azure, entra: { tenant_id: 't', client_id: 'c' } }, 'entra.client_secret', /is missing/],
    [{ ...azure, entra: { ...entra, secret: 'x' } }, 'entra.secret', /unknown setting/],
    [{ ...azure, entra: { ...entra, authority: 'http://10.0.0.1' } }, 'entra.authority', /egress\.allow/],
    [{ ...azure, api_version: '2025/../x' }, 'api_version', /version such as/],
    [{ ...azure, deployments: { 'gpt-5': 'a/b' } }, 'deployments["gpt-5"]|deployments.gpt-5', /letters, digits/],
    [{ type: 'bedrock', aws: key }, 'region', /is missing/],
    [{ type: 'bedrock', region: 'EU Central', aws: key }, 'region', /written like/],
    [{ type: 'bedrock', region: 'evil.example/', aws: key }, 'region', /written like/],
    [{ ...bedrock, aws: { access_key_id: 'CANARY' } }, 'aws.secret_access_key', /is missing: access_key_id/],
    [{ ...bedrock, aws: { secret_access_key: 'CANARY' } }, 'aws.access_key_id', /is missing: secret_access_key/],
    [{ ...bedrock, aws: { role_arn: 'arn' } }, 'aws.web_identity_token_file', /is missing/],
    [{ ...bedrock, api_key: 'CANARY', aws: key }, 'aws', /one of api_key/],
    [{ ...bedrock, aws: { ...key, session_token: 'CANARY \n' } }, 'aws.session_token', /cannot be sent/],
    [{ ...bedrock, aws: { ...key, sts_url: 'http://127.0.0.1' } }, 'aws.sts_url', /egress\.allow/],
    [{ ...bedrock, anthropic_betas: ['a b'] }, 'anthropic_betas[0]', /name of a beta/],
    [{ type: 'vertex', service_account: account() }, 'location', /is missing/],
    [{ ...vertex, service_account: account({ project_id: '' }) }, 'project', /is missing/],
    [{ ...vertex, project: 'a/b', service_account: account() }, 'project', /must be the id/],
    [{ ...vertex, project: 'p', service_account: 'CANARY' }, 'service_account', /must be the JSON key/],
    [
      { ...vertex, project: 'p', service_account: account({ type: 'authorized_user' }) },
      'service_account',
      /no key of a service/,
    ],
    [{ ...vertex, project: 'p', service_account: account({ client_email: '' }) }, 'service_account', /client_email/],
    [
      { ...vertex, project: 'p', service_account: account({ private_key: 'CANARY' }) },
      'service_account',
      /private_key/,
    ],
    [{ ...vertex, project: 'p', service_account: account({ token_uri: 'no url' }) }, 'service_account', /token_uri/],
    [
      { ...vertex, project: 'p', service_account: account({ token_uri: 'http://10.1.1.1/' }) },
      'service_account',
      /egress\.allow/,
    ],
    [{ ...vertex, project: 'p', api_key: 'CANARY' }, 'api_key', /takes a service_account/],
  ])('CFG-1: %j', (provider, path, message) => {
    const result = load(provider);
    if (result.ok) throw new Error('accepted');
    const fault = result.faults.find((found) => path.split('|').some((one) => found.path === `providers.p.${one}`));
    expect(fault?.message ?? result.faults).toMatch(message);
    expect(JSON.stringify(result)).not.toContain('CANARY');
  });
});

it.each<[object, string, RegExp]>([
  [azure, 'providers.p', /no api_key and no entra/],
  [bedrock, 'providers.p', /no credentials/],
  [{ ...vertex, project: 'p' }, 'providers.p', /no service_account/],
  [{ type: 'openai', api_key: 'k', region: 'x' }, 'providers.p.region', /belongs to bedrock/],
  [{ type: 'anthropic', api_key: 'k', chat_only: ['*'] }, 'providers.p.chat_only', /belongs to openai and/],
  [{ ...bedrock, aws: key, entra }, 'providers.p.entra', /belongs to azure-openai/],
  [{ ...azure, api_key: 'k', anthropic_betas: [] }, 'providers.p.anthropic_betas', /bedrock and vertex/],
])('CFG-1: %j is a warning', (provider, path, message) => {
  expect(loaded(provider).warnings).toContainEqual(
    expect.objectContaining({ path, message: expect.stringMatching(message) as string }),
  );
});

describe('what is compiled', () => {
  it('LLM-5: addresses follow region and location', () => {
    const urlOf = (provider: object): string | null => loaded(provider).live.providers[0]!.baseUrl;
    expect(urlOf({ ...bedrock, aws: key })).toBe('https://bedrock-runtime.eu-central-1.amazonaws.com');
    expect(urlOf({ ...bedrock, region: 'cn-north-1', aws: key })).toBe(
      'https://bedrock-runtime.cn-north-1.amazonaws.com.cn',
    );
    expect(urlOf({ ...vertex, project: 'p' })).toBe('https://europe-west1-aiplatform.googleapis.com');
    expect(urlOf({ ...vertex, location: 'global', project: 'p' })).toBe('https://aiplatform.googleapis.com');
    expect(urlOf({ ...vertex, location: 'eu', project: 'p' })).toBe('https://aiplatform.eu.rep.googleapis.com');
  });

  it('LLM-5: credentials may come from the environment and from files; empty ones count as absent', () => {
    writeFileSync(join(cwd, 'account.json'), account());
    const { cloud } = loaded(
      { ...vertex, service_account: '${GOOGLE_SERVICE_ACCOUNT}' },
      { GOOGLE_SERVICE_ACCOUNT_FILE: 'account.json' },
    ).live.providers[0]!;
    expect(cloud).toMatchObject({
      project: 'proj-1',
      serviceAccount: { email: 'a@b', tokenUrl: 'https://oauth2.googleapis.com/token' },
    });
    expect((cloud as VertexSettings).serviceAccount?.privateKey.reveal()).toBe(pem);
    const aws = { access_key_id: '${ID:-}', secret_access_key: '${SECRET:-}', session_token: '${TOKEN:-}' };
    const settings = (env: Record<string, string>): BedrockSettings =>
      loaded({ ...bedrock, aws }, env).live.providers[0]!.cloud as BedrockSettings;
    expect(settings({}).key).toBeNull();
    expect(settings({ ID: 'a', SECRET: 'b' }).key).toMatchObject({ accessKeyId: 'a', sessionToken: null });
  });

  it('LLM-5: a role by web identity is known by its file and asks the region’s STS', () => {
    const { cloud } = loaded({ ...bedrock, aws: { role_arn: 'arn', web_identity_token_file: '/t' } }).live
      .providers[0]!;
    expect((cloud as BedrockSettings).webIdentity).toEqual({
      roleArn: 'arn',
      tokenFile: '/t',
      sessionName: 'smartflow',
      stsUrl: 'https://sts.eu-central-1.amazonaws.com',
    });
  });

  it('LLM-5: an application of Entra and names of deployments', () => {
    const { cloud } = loaded({ ...azure, entra, deployments: { 'gpt-5': 'prod' } }).live.providers[0]!;
    expect((cloud as AzureSettings).entra).toMatchObject({
      tenantId: 't-1',
      authority: 'https://login.microsoftonline.com',
      scope: null,
    });
    expect((cloud as AzureSettings).deployments.get('gpt-5')).toBe('prod');
  });

  it.each([
    ['2024-02-01', false],
    ['2024-08-01-preview', false],
    ['2024-09-01-preview', true],
    ['2025-04-01', true],
    [undefined, true],
  ])('LLM-5: Azure %s is asked for usage in streams: %s', (version, asks) => {
    const provider = { ...azure, api_key: 'k', ...(version === undefined ? {} : { api_version: version }) };
    expect(loaded(provider).live.providers[0]!.streamUsage).toBe(asks);
    expect(loaded({ ...provider, stream_usage: !asks }).live.providers[0]!.streamUsage).toBe(!asks);
  });

  it('OBS-3: no secret of a cloud is in the file the settings page shows, nor in the configuration when printed', () => {
    for (const provider of [
      { ...azure, entra },
      { ...bedrock, aws: { ...key, session_token: 'CANARY' } },
      { ...vertex, service_account: account() },
    ]) {
      const config = loaded(provider);
      const shown =
        JSON.stringify({ ...config, live: { ...config.live, providers: [] } }) + JSON.stringify(config.live.providers);
      expect(shown).not.toMatch(/CANARY|BEGIN/);
    }
  });
});
