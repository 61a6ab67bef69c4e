import { type Behaviour, bytes } from '../upstream/behaviour.js';
import { type FakeUpstream, startFakeUpstream } from '../upstream/fake-upstream.js';
import type { RecordedRequest } from '../upstream/recorded-request.js';

export interface FakeSts extends FakeUpstream {
  /** What the next callers get; may be changed. */
  key: { accessKeyId: string; secretAccessKey: string; sessionToken: string; lifetimeMs: number };
}

/** AWS STS, AssumeRoleWithWebIdentity only: one role, one identity. */
export async function startFakeSts(roleArn: string, identity: string): Promise<FakeSts> {
  const key = { accessKeyId: 'ASIAFAKE', secretAccessKey: 'x', sessionToken: 'y', lifetimeMs: 3_600_000 };
  const upstream = await startFakeUpstream({ fallback: (request) => answer(request) });
  const fake: FakeSts = Object.assign(upstream, { key });
  function answer(request: RecordedRequest): Behaviour {
    const form = new URLSearchParams(request.body.toString());
    const isRight = form.get('Action') === 'AssumeRoleWithWebIdentity' && form.get('Version') === '2011-06-15';
    if (!isRight || form.get('RoleArn') !== roleArn) return xml(400, error('ValidationError'));
    if (form.get('WebIdentityToken') !== identity) return xml(400, error('InvalidIdentityToken'));
    const expiration = new Date(Date.now() + fake.key.lifetimeMs).toISOString();
    return xml(
      200,
      `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><SessionToken>${fake.key.sessionToken}</SessionToken><SecretAccessKey>${fake.key.secretAccessKey}</SecretAccessKey>
<Expiration>${expiration}</Expiration><AccessKeyId>${fake.key.accessKeyId}</AccessKeyId></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    );
  }
  return fake;
}

const error = (code: string): string => `<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`;

function xml(status: number, text: string): Behaviour {
  return bytes([text], { status, framing: Buffer.byteLength(text), headers: { 'content-type': 'text/xml' } });
}
