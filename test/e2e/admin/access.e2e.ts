import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MATRIX, OPEN } from './access-matrix.js';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

describe('who may call the admin side', () => {
  let gateway: AdminGateway;
  let viewer: string;
  beforeAll(async () => {
    gateway = await startAdminGateway();
    const made = await gateway.call('POST', '/api/tokens', { body: { name: 'eyes', role: 'proxy_admin_viewer' } });
    viewer = made.json.token;
  }, 60_000);
  afterAll(() => gateway?.stop(), 30_000);

  /** Sends bytes as they are: what `fetch` would tidy up. */
  function raw(text: string): Promise<string> {
    const { hostname, port } = new URL(gateway.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.end(text));
      let answer = '';
      socket.setEncoding('latin1').on('data', (chunk) => (answer += chunk));
      socket.on('close', () => resolve(answer)).on('error', reject);
      socket.setTimeout(5_000, () => socket.destroy());
    });
  }
  const get = (target: string): Promise<string> =>
    raw(
      `GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.first.adminToken.reveal()}\r\nConnection: close\r\n\r\n`,
    );

  it('IAM-3: the committed matrix is the whole route table', () => {
    const declared = gateway.routes
      .filter((route) => route.access?.kind !== 'virtual-key')
      .map(({ method, url }) => `${method} ${url}`)
      .sort();
    const written = [
      ...MATRIX.map(
        ([method, path]) =>
          `${method} ${path.replace(/\/(key|tok|req|org|team|user|app|tag|price|hook|chain)_[^/]+|\?.*/, (part) => (part[0] === '?' ? '' : '/:id'))}`,
      ),
      ...OPEN.map(([method, path]) => `${method} ${path}`),
      'GET /metrics',
      'HEAD /metrics',
    ].sort();
    expect(declared).toEqual(written);
    expect(gateway.routes.filter((route) => route.access === null)).toEqual([]);
    for (const route of gateway.routes) {
      if (route.access?.kind === 'public') expect(route.access.reason.length).toBeGreaterThan(20);
      if (route.access?.kind === 'virtual-key') expect(route.url).not.toMatch(/^\/(api|auth|health|metrics)/);
    }
  });

  describe.each(MATRIX)('IAM-3: %s %s', (method, path, viewerMay) => {
    const call = (token: string | null, headers: Record<string, string> = {}) =>
      gateway.call(method, path, { token, headers, ...(method === 'POST' || method === 'PATCH' ? { body: {} } : {}) });

    it('is 401 without a credential and with a bad one', async () => {
      for (const token of [
        null,
        'nonsense',
        'sf_admin_',
        gateway.first.firstKey.reveal(),
        viewer.slice(0, -1) + '~',
        `${viewer}x`,
      ]) {
        const answer = await call(token);
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toContain('Bearer');
        if (method !== 'HEAD') expect(answer.json.code).toBe('not_signed_in');
      }
      expect((await call(null, { cookie: 'smartflow_session=nonsense' })).status).toBe(401);
      expect((await call(null, { authorization: `Basic ${btoa(`x:${viewer}`)}` })).status).toBe(401);
      expect((await call(null, { 'x-api-key': viewer })).status).toBe(401);
    });

    it(`${viewerMay ? 'lets' : 'does not let'} a viewer in, and an admin always`, async () => {
      const asViewer = (await call(viewer)).status;
      if (viewerMay) expect([200, 400, 404]).toContain(asViewer);
      else expect(asViewer).toBe(403);
      expect([401, 403]).not.toContain((await call(gateway.first.adminToken.reveal())).status);
    });
  });

  it('a virtual key opens no admin route, an API token no proxy route, and each answer says so in its own shape', async () => {
    const wrong = await gateway.call('GET', '/api/keys', { token: gateway.first.firstKey.reveal() });
    expect(wrong.json.detail).toContain('virtual key');
    const proxied = await gateway.call('GET', '/v1/models');
    expect([proxied.status, proxied.json.error.type !== undefined]).toEqual([401, true]);
    expect(wrong.text + proxied.text).not.toContain(gateway.first.adminToken.reveal().slice(-20));
  });

  it('CFG-3: a token stops working when it is revoked; nobody can see it again', async () => {
    const { json } = await gateway.call('POST', '/api/tokens', { body: { name: 'temp', role: 'proxy_admin' } });
    expect(json).toMatchObject({
      role: 'proxy_admin',
      status: 'active',
      token_hint: json.token.slice(0, 17),
      expires_at: null,
    });
    expect((await gateway.call('GET', '/api/keys', { token: json.token })).status).toBe(200);
    for (const path of ['/api/tokens', `/api/tokens/${json.id}`])
      expect((await gateway.call('GET', path)).text).not.toContain(json.token);
    const revoked = await gateway.call('DELETE', `/api/tokens/${json.id}`);
    expect([revoked.status, revoked.json.status]).toEqual([200, 'revoked']);
    expect((await gateway.call('GET', '/api/keys', { token: json.token })).status).toBe(401);
    expect((await gateway.call('DELETE', `/api/tokens/${json.id}`)).status).toBe(200);
  });

  it('CFG-3: a token ends at its expiry', async () => {
    const expiresAt = new Date(Date.now() + 1_200).toISOString();
    const { json } = await gateway.call('POST', '/api/tokens', {
      body: { name: 'brief', role: 'proxy_admin', expires_at: expiresAt },
    });
    expect((await gateway.call('GET', '/api/keys', { token: json.token })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect((await gateway.call('GET', '/api/keys', { token: json.token })).status).toBe(401);
    expect((await gateway.call('GET', `/api/tokens/${json.id}`)).json.status).toBe('expired');
  });

  it.each([
    [{ role: 'proxy_admin' }, 'name'],
    [{ name: 'x' }, 'role'],
    [{ name: 'x', role: 'root' }, 'role'],
    [{ name: 'x', role: ['proxy_admin'] }, 'role'],
    [{ name: 'x', role: 'proxy_admin', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'x', role: 'proxy_admin', orgId: 'org_other' }, 'orgId'],
    [{ name: 'x\n', role: 'proxy_admin' }, 'name'],
  ])('a token wished as %j is a 400 that names %s', async (body, path) => {
    const answer = await gateway.call('POST', '/api/tokens', { body });
    expect(answer.status).toBe(400);
    expect(answer.json.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  it.each([
    '/api/%6beys/../keys',
    '/api/./keys',
    '/api//keys',
    '//api/keys',
    '/api/keys/',
    '/api/keys%2f',
    '/api/keys%2F..',
    '/api%2fkeys',
    '/api/%2e%2e/api/keys',
    '/api\\keys',
    '/api/keys%5c',
    '/api/keys%00',
    '/api/keys;x',
    '/API/keys',
    '/api/keys%20',
    '/api/%zz',
    'http://evil.example/api/keys',
    '/api/keys%0d%0aX-A:1',
    '/health/live/..',
    '/anthropic/../api/keys',
    '/v1/%2e%2e/api/keys',
  ])('IAM-3: %s reaches no handler, even for an admin', async (target) => {
    const answer = await get(target);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain('"items"');
    expect(answer).not.toContain('X-A:1');
  });

  it('absolute form is refused on proxy routes too', async () => {
    const key = gateway.first.firstKey.reveal();
    const ask = (target: string) =>
      raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`);
    expect(await ask('/v1/models')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('http://x/v1/models')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('two Authorization headers are refused, whichever comes first', async () => {
    const tokens = [gateway.first.adminToken.reveal(), 'nonsense'];
    for (const pair of [tokens, tokens.toReversed()]) {
      const lines = pair.map((token) => `Authorization: Bearer ${token}\r\n`).join('');
      expect(await raw(`GET /api/keys HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 401 /,
      );
    }
  });

  it('a path that cannot be decoded gets the same headers and id as every answer', async () => {
    const answer = await get(`/api/keys/${'a'.repeat(3_000)}`);
    expect(answer).toMatch(/x-request-id: req_[0-9a-f-]{36}\r\n/);
    expect(answer).toContain("default-src 'none'");
  });

  it('an encoded ordinary letter is the same path with the same guard', async () => {
    expect((await gateway.call('GET', '/api/%6beys', { token: null })).status).toBe(401);
    expect((await gateway.call('GET', '/api/%6beys')).status).toBe(200);
  });

  it.each([
    ['OPTIONS', '/api/keys', 405],
    ['PUT', '/api/keys', 405],
    ['PATCH', '/api/keys', 405],
    ['POST', '/api/keys/key_x', 405],
    ['DELETE', '/', 405],
    ['GET', '/auth/logout', 405],
    ['POST', '/health/ready', 405],
    ['GET', '/api/nothing', 404],
    ['GET', '/nothing', 404],
    ['GET', '/api', 404],
  ])('%s %s is %d as a problem with a request id', async (method, path, status) => {
    const answer = await gateway.call(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toMatchObject({ status, requestId: answer.headers.get('x-request-id') });
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET|POST/);
  });

  it('every answer of the admin side carries strict security headers and an id; the proxy none of them', async () => {
    const answers = await Promise.all(
      ['/', '/api/keys', '/api/nothing', '/health/live', '/api/docs', '/auth/link/x', '/metrics'].map((path) =>
        gateway.call('GET', path),
      ),
    );
    for (const answer of answers) {
      const policy = answer.headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(/^default-src 'none'/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe-eval|https?:|\*/);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('referrer-policy')).toBe('same-origin');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9a-f-]{36}$/);
    }
    const proxied = await gateway.call('GET', '/v1/models', { token: gateway.first.firstKey.reveal() });
    expect(proxied.status).toBe(200);
    expect(proxied.headers.get('content-security-policy')).toBeNull();
  });

  describe('one-time link and session', () => {
    const ORIGIN = (): Record<string, string> => ({ origin: gateway.url, 'x-smartflow-console': '1' });
    let cookie = '';
    let link = '';

    it('IAM-4: looking at the link shows a button and does not use it up', async () => {
      link = gateway.first.adminLinkPath.reveal();
      for (let i = 0; i < 3; i++) {
        const page = await gateway.call('GET', link, { token: null });
        expect(page.status).toBe(200);
        expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
        expect(page.text).toContain(`<form method="post" action="${link}">`);
      }
      expect((await gateway.call('HEAD', link, { token: null })).status).toBe(200);
    });

    it('IAM-4: another site cannot press it', async () => {
      expect(
        (await gateway.call('POST', link, { token: null, headers: { origin: 'https://evil.example' } })).status,
      ).toBe(403);
      expect((await gateway.call('POST', link, { token: null, headers: { origin: 'null' } })).status).toBe(403);
    });

    it('IAM-4: of ten who press it at once, one gets in; afterwards nobody', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => gateway.call('POST', link, { token: null, headers: { origin: gateway.url } })),
      );
      expect(answers.map((answer) => answer.status).sort()).toEqual([303, ...Array.from({ length: 9 }, () => 404)]);
      const signedIn = answers.find((answer) => answer.status === 303);
      expect(signedIn?.headers.get('location')).toBe('/');
      const set = signedIn?.headers.get('set-cookie') ?? '';
      expect(set).toMatch(/^smartflow_session=sf_admin_session_[0-9A-Za-z]{57}; Path=\/; HttpOnly; SameSite=Lax$/);
      cookie = set.split(';')[0] as string;
      expect((await gateway.call('POST', link, { token: null })).status).toBe(404);
    });

    it.each(['x', 'sf_admin_link_', '%3Cscript%3E', 'sf_admin_link_' + 'a'.repeat(57)])(
      'a link that never was (%s) is 404 and quotes nothing unescaped',
      async (token) => {
        const page = await gateway.call('GET', `/auth/link/${token}`, { token: null });
        expect(page.text).not.toContain('<script');
        const answer = await gateway.call('POST', `/auth/link/${token}`, { token: null });
        expect(answer.status).toBe(404);
        expect(answer.headers.get('set-cookie')).toBeNull();
      },
    );

    it('IAM-4: the cookie reads; it changes something only with exact Origin and the console header', async () => {
      expect((await gateway.call('GET', '/api/keys', { token: null, headers: { cookie } })).status).toBe(200);
      expect((await gateway.call('GET', '/', { token: null, headers: { cookie } })).text).toContain('signed in as');
      const post = (headers: Record<string, string>) =>
        gateway.call('POST', '/api/keys', {
          token: null,
          body: { name: 'by-console' },
          headers: { cookie, ...headers },
        });
      const host = new URL(gateway.url).host;
      for (const headers of [
        {},
        { 'x-smartflow-console': '1' },
        { origin: gateway.url },
        { origin: 'https://evil.example', 'x-smartflow-console': '1' },
        { origin: 'null', 'x-smartflow-console': '1' },
        { origin: `${gateway.url}.evil.example`, 'x-smartflow-console': '1' },
        { origin: `${gateway.url}/`, 'x-smartflow-console': '1' },
        { origin: `http://user@${host}`, 'x-smartflow-console': '1' },
        { origin: `ftp://${host}`, 'x-smartflow-console': '1' },
        { referer: gateway.url, 'x-smartflow-console': '1' },
      ]) {
        expect((await post(headers as Record<string, string>)).status).toBe(403);
      }
      expect((await post(ORIGIN())).status).toBe(201);
    });

    it('IAM-4: a request never has two meanings: an Authorization header decides alone', async () => {
      const both = (token: string) => gateway.call('GET', '/api/keys', { token, headers: { cookie } });
      expect((await both('nonsense')).status).toBe(401);
      expect((await both(viewer)).status).toBe(200);
      const write = await gateway.call('POST', '/api/keys', {
        token: viewer,
        body: { name: 'x' },
        headers: { cookie, ...ORIGIN() },
      });
      expect(write.status).toBe(403);
      expect((await gateway.call('GET', '/v1/models', { token: null, headers: { cookie } })).status).toBe(401);
    });

    it('two session cookies are none', async () => {
      expect(
        (await gateway.call('GET', '/api/keys', { token: null, headers: { cookie: `${cookie}; ${cookie}x` } })).status,
      ).toBe(401);
    });

    it('IAM-4: Redis knows the session by a digest only, and for 30 minutes without use', async () => {
      const keys = await gateway.redisCommand('KEYS', 'sf:admin-session:*');
      expect(keys).toHaveLength(1);
      expect(JSON.stringify(keys)).not.toContain(cookie.slice(-30));
      const ttl = Number(await gateway.redisCommand('TTL', (keys as string[])[0] as string));
      expect(ttl).toBeGreaterThan(1_700);
      expect(ttl).toBeLessThanOrEqual(1_800);
    });

    it('IAM-4: signing out from elsewhere is refused; here it ends the session at once', async () => {
      expect(
        (
          await gateway.call('POST', '/auth/logout', {
            token: null,
            headers: { cookie, origin: 'https://evil.example' },
          })
        ).status,
      ).toBe(403);
      const answer = await gateway.call('POST', '/auth/logout', {
        token: null,
        headers: { cookie, origin: gateway.url },
      });
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
      expect(answer.headers.get('set-cookie')).toContain('Max-Age=0');
      expect((await gateway.call('GET', '/api/keys', { token: null, headers: { cookie } })).status).toBe(401);
      expect((await gateway.call('GET', '/', { token: null, headers: { cookie } })).text).toContain('not signed in');
    });
  });
});
