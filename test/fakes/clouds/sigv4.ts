import { createHash, createHmac } from 'node:crypto';
import type { RecordedRequest } from '../upstream/recorded-request.js';

/** A key the fake knows. */
export interface KnownKey {
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

const MAX_SKEW_MS = 300_000;
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** RFC 3986: everything but unreserved characters. */
function escaped(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/**
 * Checks an AWS Signature Version 4 from the description of the algorithm (AWS IAM user guide, "Create a signed AWS API
 * request"), sharing no code with the signer under test. The path is escaped once more than it was sent.
 * @returns the AWS error code with its text, `null` when the signature is right
 */
export function signatureProblem(
  request: RecordedRequest,
  keys: ReadonlyMap<string, KnownKey>,
  scope: { readonly region: string; readonly service: string },
): { readonly code: string; readonly message: string } | null {
  const authorization = request.header('authorization') ?? '';
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (parts === null)
    return { code: 'IncompleteSignatureException', message: 'the Authorization header is no signature' };
  const [, keyId, day, region, service, signedNames, signature] = parts as unknown as string[];
  const key = keys.get(keyId as string);
  if (key === undefined) {
    return { code: 'UnrecognizedClientException', message: 'The security token included in the request is invalid.' };
  }
  const token = request.header('x-amz-security-token') ?? null;
  if (token !== key.sessionToken) {
    return {
      code: 'ExpiredTokenException',
      message: `The security token included in the request is expired: ${token}`,
    };
  }
  const date = request.header('x-amz-date') ?? '';
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!date.startsWith(day as string) || !(Math.abs(Date.now() - at) < MAX_SKEW_MS)) {
    return { code: 'InvalidSignatureException', message: 'Signature expired' };
  }
  if (region !== scope.region || service !== scope.service) {
    return { code: 'InvalidSignatureException', message: 'Credential should be scoped to a valid region and service' };
  }
  const names = (signedNames as string).split(';');
  const mustBeSigned = ['host', ...request.rawHeaders.map(([name]) => name.toLowerCase()).filter(isAmz)];
  const missing = mustBeSigned.find((name) => !names.includes(name));
  if (missing !== undefined) return { code: 'InvalidSignatureException', message: `${missing} must be signed` };

  const canonical = canonicalRequest(request, names);
  const toSign = ['AWS4-HMAC-SHA256', date, `${day}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n');
  const steps = [day, region, service, 'aws4_request'] as string[];
  const signingKey = steps.reduce<string | Buffer>((secret, step) => hmac(secret, step), `AWS4${key.secretAccessKey}`);
  if (hmac(signingKey, toSign).toString('hex') === signature) return null;
  const message = `The request signature we calculated does not match. The Canonical String should have been '${canonical}'`;
  return { code: 'InvalidSignatureException', message };
}

const isAmz = (name: string): boolean => name.startsWith('x-amz-');

function canonicalRequest(request: RecordedRequest, names: readonly string[]): string {
  const [path = '', query = ''] = request.target.split('?', 2);
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split('=', 2).map((part) => escaped(decodeURIComponent(part))))
    .map(([name, value = '']) => `${name}=${value}`);
  return [
    request.method,
    path.split('/').map(escaped).join('/'),
    pairs.toSorted().join('&'),
    ...names.map((name) => `${name}:${(request.header(name) ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(request.body),
  ].join('\n');
}
