import { createPrivateKey } from 'node:crypto';
import type { Findings, Path } from './findings.js';
import { entriesOf, field, isMapping, textOf } from './untyped.js';

/** Settings that belong to one type of provider, or to some. */
const BELONGS_TO: Readonly<Record<string, readonly string[]>> = {
  api_version: ['azure-openai'],
  deployments: ['azure-openai'],
  entra: ['azure-openai'],
  region: ['bedrock'],
  aws: ['bedrock'],
  project: ['vertex'],
  location: ['vertex'],
  service_account: ['vertex'],
  anthropic_betas: ['bedrock', 'vertex'],
  responses_only: ['openai', 'openai-compatible', 'azure-openai'],
  chat_only: ['openai', 'openai-compatible', 'azure-openai'],
};

/** A label of a host name: regions and locations become part of one. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PROJECT = /^[A-Za-z0-9][A-Za-z0-9:.-]{0,99}$/;

/** What the schema cannot see of azure-openai, bedrock and vertex; no message quotes a value. */
export function checkCloud(provider: unknown, type: string, path: Path, findings: Findings): void {
  for (const [setting, types] of Object.entries(BELONGS_TO)) {
    if (field(provider, setting) !== undefined && !types.includes(type)) {
      findings.warning([...path, setting], `has no effect on type ${type}: it belongs to ${types.join(' and ')}`);
    }
  }
  if (type === 'azure-openai') checkAzure(provider, path, findings);
  if (type === 'bedrock') checkBedrock(provider, path, findings);
  if (type === 'vertex') checkVertex(provider, path, findings);
}

interface Address {
  readonly path: Path;
  readonly url: string;
}

/** Addresses besides `base_url` to which credentials are sent: they fall under the same egress rules. */
export function otherAddresses(provider: unknown): readonly Address[] {
  const found: Address[] = [];
  const add = (path: Path, url: string | undefined): void => {
    if (url !== undefined) found.push({ path, url });
  };
  add(['entra', 'authority'], textOf(field(provider, 'entra'), 'authority'));
  add(['aws', 'sts_url'], textOf(field(provider, 'aws'), 'sts_url'));
  const key = parsedKey(textOf(provider, 'service_account') ?? '');
  add(['service_account'], textOf(key, 'token_uri'));
  return found;
}

function checkAzure(provider: unknown, path: Path, findings: Findings): void {
  const entra = field(provider, 'entra');
  const hasSecret = Boolean(textOf(entra, 'client_secret'));
  const hasKey = Boolean(textOf(provider, 'api_key'));
  if (hasSecret && hasKey) findings.fault([...path, 'entra'], 'use either api_key or entra, not both');
  if (!hasSecret && !hasKey) {
    findings.warning(path, 'no api_key and no entra.client_secret: Azure will refuse the calls of this provider');
  }
  for (const name of ['tenant_id', 'client_id']) {
    const value = textOf(entra, name);
    if (value !== undefined && !/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/.test(value)) {
      findings.fault([...path, 'entra', name], 'must be an id or a domain name');
    }
  }
  const version = textOf(provider, 'api_version') ?? '';
  if (!/^([A-Za-z0-9.-]{0,64})$/.test(version))
    findings.fault([...path, 'api_version'], 'must be a version such as 2025-04-01-preview');
  for (const [model, deployment] of entriesOf(provider, 'deployments')) {
    if (typeof deployment === 'string' && !/^[A-Za-z0-9._-]+$/.test(deployment)) {
      findings.fault([...path, 'deployments', model], 'a deployment has letters, digits, dots, dashes and underscores');
    }
  }
}

function checkBedrock(provider: unknown, path: Path, findings: Findings): void {
  checkLabel(provider, 'region', 'eu-central-1', path, findings);
  const aws = field(provider, 'aws');
  const has = (name: string): boolean => Boolean(textOf(aws, name));
  const halves = [
    ['access_key_id', 'secret_access_key'],
    ['role_arn', 'web_identity_token_file'],
  ] as const;
  for (const [first, second] of halves) {
    if (has(first) === has(second)) continue;
    const [given, missing] = has(first) ? [first, second] : [second, first];
    findings.fault([...path, 'aws', missing], `is missing: ${given} is of no use without it`);
  }
  const ways = [has('access_key_id'), has('role_arn'), Boolean(textOf(provider, 'api_key'))].filter(Boolean).length;
  if (ways > 1) findings.fault([...path, 'aws'], 'use one of api_key, access_key_id or role_arn, not several');
  if (ways === 0)
    findings.warning(path, 'no credentials (aws or api_key): Bedrock will refuse the calls of this provider');
  const sessionName = textOf(aws, 'role_session_name') ?? 'x';
  if (!/^[\w+=,.@-]{0,64}$/.test(sessionName)) {
    findings.fault([...path, 'aws', 'role_session_name'], 'has letters, digits and _+=,.@- only, at most 64');
  }
  for (const name of ['access_key_id', 'session_token']) {
    if (!/^[\x21-\x7e]*$/.test(textOf(aws, name) ?? '')) {
      findings.fault([...path, 'aws', name], 'has characters that cannot be sent in a header (a line break or blank?)');
    }
  }
}

function checkVertex(provider: unknown, path: Path, findings: Findings): void {
  checkLabel(provider, 'location', 'europe-west1 or global', path, findings);
  if (textOf(provider, 'api_key')) findings.fault([...path, 'api_key'], 'vertex takes a service_account, no key');
  const text = textOf(provider, 'service_account') ?? '';
  const key = parsedKey(text);
  const at = [...path, 'service_account'];
  if (text === '') findings.warning(path, 'no service_account: Vertex will refuse the calls of this provider');
  else if (key === null)
    findings.fault(at, 'must be the JSON key of a service account (GOOGLE_SERVICE_ACCOUNT_FILE may name its file)');
  else checkKey(key, at, findings);
  const project = textOf(provider, 'project') || textOf(key, 'project_id') || '';
  if (project === '') findings.fault([...path, 'project'], 'is missing: the service account names none either');
  else if (!PROJECT.test(project)) findings.fault([...path, 'project'], 'must be the id of a Google Cloud project');
}

function checkKey(key: unknown, at: Path, findings: Findings): void {
  if (textOf(key, 'type') !== 'service_account')
    findings.fault(at, 'is no key of a service account: its "type" is another');
  if (!textOf(key, 'client_email')) findings.fault(at, 'the key has no "client_email"');
  if (!isRsaKey(textOf(key, 'private_key') ?? '')) findings.fault(at, 'the key has no usable "private_key" (RSA, PEM)');
  const tokenUrl = textOf(key, 'token_uri');
  if (tokenUrl !== undefined && !/^https?:/.test(URL.canParse(tokenUrl) ? tokenUrl : '')) {
    findings.fault(at, 'the "token_uri" of the key is no URL');
  }
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

function parsedKey(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return isMapping(value) ? value : null;
  } catch {
    return null;
  }
}

function checkLabel(provider: unknown, name: string, example: string, path: Path, findings: Findings): void {
  const value = textOf(provider, name) ?? '';
  if (value === '') findings.fault([...path, name], `is missing: such as ${example}`);
  else if (!LABEL.test(value)) findings.fault([...path, name], `must be written like ${example}`);
}
