import { Secret } from '../secret.js';
import type { ConfigFile } from './schema.js';

/** An application of Microsoft Entra ID. */
export interface EntraSettings {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** No slash at the end. */
  readonly authority: string;
  /** `null`: that of the API in use. */
  readonly scope: string | null;
}

export interface AzureSettings {
  readonly kind: 'azure';
  /** Deployment by model. */
  readonly deployments: ReadonlyMap<string, string>;
  readonly entra: EntraSettings | null;
}

/** A key that signs calls to AWS. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | null;
}

/** A role of AWS taken by an identity from a file. */
export interface AwsWebIdentity {
  readonly roleArn: string;
  readonly tokenFile: string;
  readonly sessionName: string;
  /** No slash at the end. */
  readonly stsUrl: string;
}

export interface BedrockSettings {
  readonly kind: 'bedrock';
  readonly region: string;
  readonly key: AwsKey | null;
  readonly webIdentity: AwsWebIdentity | null;
  readonly betas: readonly string[];
}

/** What of a service account's JSON key is needed to ask for tokens. */
export interface ServiceAccount {
  readonly email: string;
  readonly privateKey: Secret;
  readonly keyId: string | null;
  readonly tokenUrl: string;
}

export interface VertexSettings {
  readonly kind: 'vertex';
  readonly project: string;
  readonly location: string;
  readonly serviceAccount: ServiceAccount | null;
  readonly betas: readonly string[];
}

export type CloudSettings = AzureSettings | BedrockSettings | VertexSettings;

type WrittenProvider = NonNullable<ConfigFile['providers']>[string];

const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';

/** The settings of a provider of a cloud; `undefined` for all other types. The file has passed all checks. */
export function compileCloud(provider: WrittenProvider): CloudSettings | undefined {
  if (provider.type === 'azure-openai') return compileAzure(provider);
  if (provider.type === 'bedrock') return compileBedrock(provider);
  if (provider.type === 'vertex') return compileVertex(provider);
  return undefined;
}

/** Where a cloud serves, as its region says; `undefined` for types without one. */
export function cloudBaseUrl(provider: WrittenProvider): string | undefined {
  if (provider.type === 'bedrock' && provider.region) {
    const domain = provider.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
    return `https://bedrock-runtime.${provider.region}.${domain}`;
  }
  return provider.type === 'vertex' && provider.location ? vertexUrl(provider.location) : undefined;
}

/** One host for the world, one per multi-region, one per region (Vertex AI, "Locations"). */
function vertexUrl(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  if (location === 'us' || location === 'eu') return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

function compileAzure({ deployments, entra }: WrittenProvider): AzureSettings {
  return {
    kind: 'azure',
    deployments: new Map(Object.entries(deployments ?? {})),
    entra: !entra?.client_secret
      ? null
      : {
          tenantId: entra.tenant_id,
          clientId: entra.client_id,
          clientSecret: new Secret(entra.client_secret),
          authority: withoutSlash(entra.authority ?? 'https://login.microsoftonline.com'),
          scope: entra.scope || null,
        },
  };
}

function compileBedrock({ region = '', aws, anthropic_betas }: WrittenProvider): BedrockSettings {
  const sessionToken = aws?.session_token;
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return {
    kind: 'bedrock',
    region,
    key:
      aws?.access_key_id && aws.secret_access_key
        ? {
            accessKeyId: aws.access_key_id,
            secretAccessKey: new Secret(aws.secret_access_key),
            sessionToken: sessionToken ? new Secret(sessionToken) : null,
          }
        : null,
    webIdentity:
      aws?.role_arn && aws.web_identity_token_file
        ? {
            roleArn: aws.role_arn,
            tokenFile: aws.web_identity_token_file,
            sessionName: aws.role_session_name || 'smartflow',
            stsUrl: withoutSlash(aws.sts_url ?? `https://sts.${region}.${domain}`),
          }
        : null,
    betas: [...(anthropic_betas ?? [])],
  };
}

function compileVertex({ project, location = '', service_account, anthropic_betas }: WrittenProvider): VertexSettings {
  const key = service_account ? (JSON.parse(service_account) as Record<string, string | undefined>) : null;
  return {
    kind: 'vertex',
    project: project || (key?.project_id ?? ''),
    location,
    serviceAccount:
      key === null
        ? null
        : {
            email: key.client_email ?? '',
            privateKey: new Secret(key.private_key ?? ''),
            keyId: key.private_key_id ?? null,
            tokenUrl: key.token_uri ?? GOOGLE_TOKEN_URL,
          },
    betas: [...(anthropic_betas ?? [])],
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
