import { z } from 'zod';

/** Settings of a provider that only one type of cloud has (docs/providers.md); `check-cloud.ts` says which belong to which. */

const httpUrl = z.url({ protocol: /^https?$/ });

const entra = z
  .strictObject({
    tenant_id: z.string(),
    client_id: z.string(),
    client_secret: z.string(),
    authority: httpUrl.optional().describe('default https://login.microsoftonline.com'),
    scope: z.string().optional().describe('default: that of the API in use, v1 or dated'),
  })
  .describe('azure-openai: an application of Microsoft Entra ID instead of api_key');

const aws = z
  .strictObject({
    access_key_id: z.string().optional(),
    secret_access_key: z.string().optional(),
    session_token: z.string().optional().describe('of temporary credentials'),
    role_arn: z.string().optional().describe('role taken by web identity, as in EKS'),
    web_identity_token_file: z.string().optional().describe('file with the identity; it is read at each renewal'),
    role_session_name: z.string().optional().describe('default smartflow'),
    sts_url: httpUrl.optional().describe('default: STS of the region'),
  })
  .describe('bedrock: an access key, or a role by web identity, instead of api_key');

export const cloudProviderSettings = {
  deployments: z
    .record(z.string().min(1).max(256), z.string().min(1).max(256))
    .optional()
    .describe('azure-openai: name of the deployment by model, where the two differ'),
  entra: entra.optional(),
  region: z.string().optional().describe('bedrock: e.g. eu-central-1'),
  aws: aws.optional(),
  project: z.string().optional().describe('vertex: the Google Cloud project; default: that of the service account'),
  location: z.string().optional().describe('vertex: e.g. europe-west1, eu, us or global'),
  service_account: z
    .string()
    .optional()
    .describe('vertex: the JSON key of a service account, usually ${GOOGLE_SERVICE_ACCOUNT}'),
  anthropic_betas: z
    .array(z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be the name of a beta'))
    .max(100)
    .optional()
    .describe('bedrock, vertex: betas passed on beside those known to be served'),
};
