import { signatureProblem, type KnownKey } from '#test/fakes/clouds/sigv4.js';
import type { RecordedRequest } from '#test/fakes/upstream/recorded-request.js';
import { SigningCredential } from './signing-credential.js';

const KEY = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
};
const SCOPE = { region: 'eu-central-1', service: 'bedrock' };

function problemOf(
  call: { path?: string; headers?: string[]; body?: string },
  key = KEY as { accessKeyId: string; secretAccessKey: string; sessionToken: string | null },
  tamper: (request: { target: string; body: Buffer; headers: string[] }) => void = () => {},
): string | null {
  const {
    path = '/model/m/invoke',
    headers = ['content-type', 'application/json', 'x-stainless-os', 'Linux'],
    body = '{}',
  } = call;
  const bytes = Buffer.from(body);
  const proofs = new SigningCredential(key, SCOPE.region, '127.0.0.1:8080').headersFor({
    method: 'POST',
    path,
    headers,
    body: bytes,
  });
  const sent = { target: path, body: bytes, headers: ['host', '127.0.0.1:8080', ...headers, ...proofs] };
  tamper(sent);
  const pairs = sent.headers.flatMap((name, at) => (at % 2 === 0 ? [[name, sent.headers[at + 1]!] as const] : []));
  const request = {
    method: 'POST',
    target: sent.target,
    body: sent.body,
    rawHeaders: [...pairs, ['content-length', String(bytes.length)] as const],
    header: (name: string) =>
      [...pairs, ['content-length', String(bytes.length)] as const]
        .filter(([key]) => key.toLowerCase() === name)
        .map(([, value]) => value)
        .join(', ') || undefined,
  } as unknown as RecordedRequest;
  const known: KnownKey = { secretAccessKey: KEY.secretAccessKey, sessionToken: key.sessionToken };
  return signatureProblem(request, new Map([[KEY.accessKeyId, known]]), SCOPE)?.code ?? null;
}

describe('SigningCredential', () => {
  it.each([
    [{}],
    [{ body: '' }],
    [{ body: 'ü🙂'.repeat(1000) }],
    [{ path: '/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream' }],
    [{ path: '/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Aapplication-inference-profile%2Fabc/invoke' }],
    [{ path: '/prefix/model/a%20b/invoke' }],
    [
      {
        headers: [
          'Content-Type',
          'application/json',
          'X-Amzn-Bedrock-GuardrailIdentifier',
          'g',
          'x-amz-extra',
          ' a  b ',
        ],
      },
    ],
  ])('LLM-5: the signature of %j is right by an independent check', (call) => {
    expect(problemOf(call)).toBeNull();
  });

  it('LLM-5: a session token is sent and signed', () => {
    expect(problemOf({}, { ...KEY, sessionToken: 'token//==' })).toBeNull();
  });

  it.each([
    ['another body', (sent: { body: Buffer }) => void (sent.body = Buffer.from('{ }'))],
    ['another path', (sent: { target: string }) => void (sent.target = '/model/n/invoke')],
    ['another content type', (sent: { headers: string[] }) => void (sent.headers[3] = 'text/plain')],
    ['another host', (sent: { headers: string[] }) => void (sent.headers[1] = 'elsewhere')],
  ])('the check itself notices %s', (_name, tamper) => {
    expect(problemOf({}, KEY, tamper as never)).toBe('InvalidSignatureException');
  });

  it('a header that someone on the way may change is not signed', () => {
    expect(problemOf({}, KEY, (sent) => void (sent.headers[5] = 'changed'))).toBeNull();
  });

  it('the wrong secret is noticed', () => {
    expect(problemOf({}, { ...KEY, secretAccessKey: 'wrong' })).toBe('InvalidSignatureException');
  });
});
