import { isIP } from 'node:net';
import { allowEntryFor, EgressPolicy } from '../egress/policy.js';
import { checkCloud, otherAddresses } from './check-cloud.js';
import type { Findings, Path } from './findings.js';
import { entriesOf, field, listOf, textOf } from './untyped.js';

/** Where a provider of each type is reached when the file does not say. */
export const DEFAULT_BASE_URLS: Readonly<Record<string, string>> = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
  google: 'https://generativelanguage.googleapis.com',
};

const NEEDS_BASE_URL = ['openai-compatible', 'azure-openai'];

/** Headers that belong to one connection or to the message itself: a fixed value would break or smuggle requests. */
const FRAMING_HEADERS =
  /^(connection|content-length|content-type|host|keep-alive|te|trailer|transfer-encoding|upgrade|expect|cookie|proxy-.*)$/i;

/** Everything about providers that the schema cannot see. */
export function checkProviders(file: unknown, findings: Findings): void {
  const policy = policyOf(file);
  for (const [name, provider] of entriesOf(file, 'providers')) {
    const path: Path = ['providers', name];
    const type = textOf(provider, 'type') ?? '';
    const baseUrl = textOf(provider, 'base_url');
    if (type === 'demo') {
      if (baseUrl !== undefined) findings.warning([...path, 'base_url'], 'base_url has no effect on a demo provider');
    } else if (baseUrl !== undefined) {
      checkBaseUrl(baseUrl, type, [...path, 'base_url'], policy, findings);
    } else if (NEEDS_BASE_URL.includes(type) && field(provider, 'base_url') === undefined) {
      findings.fault([...path, 'base_url'], `is missing: a provider of type ${type} needs one`);
    }
    checkCredentials(provider, path, findings);
    checkCloud(provider, type, path, findings);
    for (const address of otherAddresses(provider)) {
      if (URL.canParse(address.url)) checkReach(new URL(address.url), [...path, ...address.path], policy, findings);
    }
    const usual = DEFAULT_BASE_URLS[type];
    if (usual !== undefined && (baseUrl ?? usual).replace(/\/+$/, '') === usual && !textOf(provider, 'api_key')) {
      findings.warning(path, `no api_key: ${type} will refuse the calls of provider "${name}"`);
    }
  }
}

function policyOf(file: unknown): EgressPolicy {
  const networks = listOf(field(file, 'egress'), 'allow').filter((entry) => typeof entry === 'string');
  try {
    return new EgressPolicy(networks);
  } catch {
    return new EgressPolicy([]); // reported by the schema
  }
}

function checkBaseUrl(text: string, type: string, path: Path, policy: EgressPolicy, findings: Findings): void {
  if (!URL.canParse(text)) return; // reported by the schema
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    findings.fault(path, 'must not contain a user or password; use api_key or headers');
  } else if (url.search !== '' || url.hash !== '') {
    findings.fault(path, 'must not contain ? or #; it is the address to which paths are added');
  } else {
    checkReach(url, path, policy, findings);
  }
  const pathname = url.pathname.replace(/\/+$/, '');
  if ((type === 'openai' || type === 'openai-compatible') && pathname === '') {
    findings.warning(path, 'a base_url of this type usually ends in /v1');
  }
  if (['anthropic', 'google', 'vertex'].includes(type) && /\/v1(beta)?$/.test(pathname)) {
    findings.warning(
      path,
      `a base_url of type ${type} has no version at its end: the paths added to it begin with one`,
    );
  }
}

function checkReach(url: URL, path: Path, policy: EgressPolicy, findings: Findings): void {
  const problem = reachProblem(url, policy);
  if (problem !== null) findings.fault(path, problem);
}

/** Objection of the egress policy, as far as the URL alone can tell; names are checked when they are connected to. */
function reachProblem(url: URL, policy: EgressPolicy): string | null {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (/^(.+\.)?localhost\.?$/.test(host)) {
    if (policy.isAllowed('127.0.0.1') || policy.isAllowed('::1')) return null;
    return 'is a loopback address: add "127.0.0.0/8" to egress.allow to permit it';
  }
  if (isIP(host) === 0) return null;
  const verdict = policy.verdict(host);
  const entry = allowEntryFor(host);
  if (!verdict.allowed)
    return `is not reachable by policy (${verdict.reason}): add "${entry}" to egress.allow to permit it`;
  if (url.protocol !== 'https:' && !verdict.listed) {
    return `plain http needs a listed address: use https, or add "${entry}" to egress.allow`;
  }
  return null;
}

function checkCredentials(provider: unknown, path: Path, findings: Findings): void {
  const apiKey = textOf(provider, 'api_key') ?? '';
  if (!isHeaderValue(apiKey)) {
    findings.fault(
      [...path, 'api_key'],
      'has characters that cannot be sent in a header (a line break or blank at its end?)',
    );
  }
  for (const [header, value] of entriesOf(provider, 'headers')) {
    const at = [...path, 'headers', header];
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header)) findings.fault(at, 'is no header name');
    else if (FRAMING_HEADERS.test(header)) findings.fault(at, 'is a header the gateway sets itself');
    else if (typeof value === 'string' && !isHeaderValue(value)) {
      findings.fault(at, 'has characters that cannot be sent in a header');
    }
  }
}

/** Visible ASCII, blanks only inside: what RFC 9110 §5.5 lets pass unchanged. */
function isHeaderValue(text: string): boolean {
  return text === '' || /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/.test(text);
}
