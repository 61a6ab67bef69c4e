import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type FakeAzure, startFakeAzure } from '#test/fakes/clouds/fake-azure.js';
import { BEDROCK_REGION, type FakeBedrock, startFakeBedrock } from '#test/fakes/clouds/fake-bedrock.js';
import { type FakeSts, startFakeSts } from '#test/fakes/clouds/fake-sts.js';
import { type FakeVertex, startFakeVertex } from '#test/fakes/clouds/fake-vertex.js';
import { startProduct, temporaryDataDir, type Product } from '../harness.js';

/** Every credential the product gets; none may show up in an answer or a log. */
export const CLOUD_SECRETS = {
  azureKey: 'canary-azure-key-3f9a1c7e5b',
  entraSecret: 'canary-entra-secret-8d2b6f4a',
  awsSecret: 'canary/aws+secret/0a1b2c3d4e5f',
  awsToken: 'canary-aws-session-token//8f7e6d==',
  bedrockKey: 'canary-bedrock-api-key-5c4d3e2f',
  identity: 'canary-web-identity-eyJhbGciOi',
  roleSecret: 'canary-role-secret-77aa88bb99',
  roleToken: 'canary-role-token-11cc22dd33',
};

export const ROLE = 'arn:aws:iam::123456789012:role/gateway';
export const CLAUDE = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const TIMEOUTS = { connect_ms: 1000, first_byte_ms: 1500, idle_ms: 1500, total_ms: 8000 };

/** The product with fakes of three clouds behind it. */
export interface CloudProduct {
  readonly product: Product;
  readonly azure: FakeAzure;
  readonly bedrock: FakeBedrock;
  readonly sts: FakeSts;
  readonly vertex: FakeVertex;
  stop(): Promise<void>;
}

export async function startCloudProduct(): Promise<CloudProduct> {
  const [azure, bedrock, sts, vertex] = await Promise.all([
    startFakeAzure(CLOUD_SECRETS.entraSecret),
    startFakeBedrock(),
    startFakeSts(ROLE, CLOUD_SECRETS.identity),
    startFakeVertex(),
  ]);
  const { awsSecret, awsToken, roleSecret, roleToken } = CLOUD_SECRETS;
  azure.apiKeys.add(CLOUD_SECRETS.azureKey);
  bedrock.keys.set('AKIDCONFIG', { secretAccessKey: awsSecret, sessionToken: awsToken });
  bedrock.keys.set('ASIAROLE', { secretAccessKey: roleSecret, sessionToken: roleToken });
  bedrock.apiKeys.add(CLOUD_SECRETS.bedrockKey);
  sts.key = { accessKeyId: 'ASIAROLE', secretAccessKey: roleSecret, sessionToken: roleToken, lifetimeMs: 3_600_000 };
  const folder = await temporaryDataDir();
  await writeFile(path.join(folder, 'identity'), `${CLOUD_SECRETS.identity}\n`);
  await writeFile(path.join(folder, 'account.json'), vertex.serviceAccount);
  const product = await startProduct({
    env: {
      SMARTFLOW_LOG_LEVEL: 'debug',
      AZURE_KEY: CLOUD_SECRETS.azureKey,
      ENTRA_SECRET: CLOUD_SECRETS.entraSecret,
      AWS_SECRET_ACCESS_KEY: awsSecret,
      AWS_SESSION_TOKEN: awsToken,
      BEDROCK_KEY: CLOUD_SECRETS.bedrockKey,
      GOOGLE_SERVICE_ACCOUNT_FILE: path.join(folder, 'account.json'),
    },
    config: configOf({ azure, bedrock, sts, vertex }, path.join(folder, 'identity')),
  });
  return {
    product,
    azure,
    bedrock,
    sts,
    vertex,
    async stop() {
      await product.stop();
      await Promise.all([azure, bedrock, sts, vertex].map((fake) => fake.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Fakes = Pick<CloudProduct, 'azure' | 'bedrock' | 'sts' | 'vertex'>;

function configOf({ azure, bedrock, sts, vertex }: Fakes, identityFile: string): Record<string, unknown> {
  const { tenantId, clientId } = azure.application;
  const entra = { tenant_id: tenantId, client_id: clientId, client_secret: '${ENTRA_SECRET}', authority: azure.url };
  const dated = { type: 'azure-openai', base_url: azure.url, api_version: '2025-04-01-preview', timeouts: TIMEOUTS };
  const aws = { type: 'bedrock', base_url: bedrock.url, region: BEDROCK_REGION, timeouts: TIMEOUTS };
  const role = { role_arn: ROLE, web_identity_token_file: identityFile, sts_url: sts.url };
  return {
    egress: { allow: ['127.0.0.0/8'] },
    providers: {
      azure_v1: { type: 'azure-openai', base_url: azure.url, entra, timeouts: TIMEOUTS },
      azure_dated: { ...dated, api_key: '${AZURE_KEY}', deployments: { 'gpt-5': 'prod-gpt-5' } },
      azure_dated_entra: { ...dated, entra },
      azure_old: { ...dated, api_version: '2024-02-01', api_key: '${AZURE_KEY}' },
      azure_wrong: { ...dated, entra: { ...entra, client_secret: 'canary-wrong-entra-secret' } },
      bedrock: {
        ...aws,
        aws: {
          access_key_id: 'AKIDCONFIG',
          secret_access_key: '${AWS_SECRET_ACCESS_KEY}',
          session_token: '${AWS_SESSION_TOKEN}',
        },
      },
      bedrock_role: { ...aws, aws: role },
      bedrock_key: { ...aws, api_key: '${BEDROCK_KEY}' },
      bedrock_lost: { ...aws, aws: { ...role, web_identity_token_file: '/nowhere/identity' } },
      vertex: {
        type: 'vertex',
        base_url: vertex.url,
        location: 'europe-west1',
        service_account: '${GOOGLE_SERVICE_ACCOUNT}',
        timeouts: TIMEOUTS,
      },
    },
    models: {
      'azure-v1': { target: 'azure_v1/gpt-5' },
      'azure-dated': { target: 'azure_dated/gpt-5' },
      'azure-dated-entra': { target: 'azure_dated_entra/prod-gpt-5' },
      'azure-old': { target: 'azure_old/gpt-5' },
      'claude-bedrock': { target: `bedrock/${CLAUDE}` },
      'claude-vertex': { target: 'vertex/claude-opus-5@20260801' },
      'gemini-vertex': { target: 'vertex/gemini-2.5-pro' },
    },
  };
}
