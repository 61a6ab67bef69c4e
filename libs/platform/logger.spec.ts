import { createLogger, type Logger, scrub } from './logger.js';
import { Secret } from './secret.js';

let lines: string[];
beforeEach(() => {
  lines = [];
});
const logger = (level: 'debug' | 'info' | 'warn' | 'error' = 'debug'): Logger =>
  createLogger({ level, name: 'spec', destination: { write: (line) => void lines.push(line) } });
const output = (): string => lines.join('');
const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>;

// Credentials as they really look; each is searched for in all that was written.
const CANARIES = {
  virtualKey: 'sk-sf-a1B2c3D4canaryCanaryCanaryCanaryCanaryCanaryCanary123456',
  adminToken: 'sf_admin_a1B2c3D4canaryCanaryCanaryCanaryCanaryCanary123456',
  mcpKey: 'smcp_key_a1B2c3D4canaryCanary',
  openai: 'sk-proj-canary_canary-canaryCanary',
  anthropic: 'sk-ant-api03-canary-canaryCanary',
  google: 'AIzaSyCanaryCanaryCanaryCanaryCanary12',
  groq: 'gsk_canaryCanaryCanaryCanary',
  jwt: 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5',
  bearer: 'canary.opaque.token',
};

function expectClean(): void {
  expect(lines.length).toBeGreaterThan(0);
  for (const canary of Object.values(CANARIES)) expect(output()).not.toContain(canary);
  expect(output().toLowerCase()).not.toContain('canary');
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
}

describe('a line', () => {
  it('OBS-3: is one JSON object with level, time, name, fields and message', () => {
    logger().info({ port: 8080 }, 'listening');
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      name: 'spec',
      pid: process.pid,
      port: 8080,
      msg: 'listening',
    });
    expect(lines[0]?.endsWith('\n')).toBe(true);
  });

  it('OBS-3: is written from the wanted level on', () => {
    const log = logger('warn');
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['c', 'd']);
  });

  it('OBS-3: of a child carries the fields of the child too', () => {
    logger().child({ part: 'relay' }).child({ org: 'o' }).info({ a: 1 }, 'x');
    expect(last()).toMatchObject({ part: 'relay', org: 'o', a: 1 });
  });

  it('OBS-3: never has a name twice: own names win', () => {
    logger().info({ level: 'x', time: 'y', pid: 1, name: 'z', msg: 'm', a: 1 }, 'text');
    expect(last()).toMatchObject({ level: 'info', name: 'spec', msg: 'text', level_: 'x', name_: 'z', msg_: 'm' });
    expect(lines[0]?.match(/"name":/g)).toHaveLength(1);
  });

  it('OBS-3: stays one line whatever the message holds', () => {
    logger().info({ a: 'b\nc' }, 'x\r\n{"level":"error"}');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toContain('\n');
  });
});

describe('credentials do not get out', () => {
  it.each(Object.entries(CANARIES))(
    'OBS-3: %s in the message, a field, a list, a URL, an error and a child',
    (name, canary) => {
      const shown = name === 'bearer' ? `Bearer ${canary}` : canary;
      const log = logger();
      log.info({}, `calling with ${shown}`);
      log.info({ text: `before ${shown} after` }, 'x');
      log.info({ a: { b: { c: [{ d: shown }] } } }, 'x');
      log.info({ list: [shown, `x${' '}${shown}`] }, 'x');
      log.info(
        {
          url: `https://host/v1?key=${encodeURIComponent(shown)}&alt=sse`,
          href: new URL(`https://h/?token=${encodeURIComponent(canary)}`),
        },
        'x',
      );
      log.error({ err: new Error(`401 for ${shown}`, { cause: new Error(shown) }) }, 'x');
      log.error(new AggregateError([new Error(shown)], shown), 'x');
      log.child({ text: shown }).warn({}, 'x');
      expectClean();
    },
  );

  it('OBS-3: fields that hold credentials by name are masked at any depth, whatever the value looks like', () => {
    const names = [
      'authorization',
      'Authorization',
      'proxy-authorization',
      'cookie',
      'set-cookie',
      'api_key',
      'apiKey',
      'x-api-key',
      'x-goog-api-key',
      'password',
      'secret',
      'clientSecret',
      'client_secret',
      'token',
      'accessToken',
      'refresh_token',
      'adminToken',
      'pepper',
      'masterKey',
      'private_key',
      'passphrase',
      'credentials',
    ];
    for (const name of names) {
      logger().info({ [name]: 'canary' }, 'x');
      logger().info({ a: { [name]: 'canary', b: [{ [name]: { deep: 'canary' } }] } }, 'x');
      logger()
        .child({ [name]: 'canary' })
        .info({}, 'x');
    }
    expectClean();
  });

  it('OBS-3: of headers only a few are readable, in each form in which they come', () => {
    const log = logger();
    const pairs: [string, string][] = [
      ['X-Custom-Auth', 'canary'],
      ['Content-Type', 'application/json'],
    ];
    log.info({ headers: Object.fromEntries(pairs) }, 'x');
    expect(last()).toMatchObject({ headers: { 'X-Custom-Auth': '[secret]', 'Content-Type': 'application/json' } });
    log.info({ request: { rawHeaders: pairs.flat(), headers: new Map(pairs) } }, 'x');
    log.info({ responseHeaders: new Headers(pairs) }, 'x');
    log.info({ headers: pairs.flat().map((text) => Buffer.from(text)) }, 'x');
    log.info({ headers: 'x-custom-auth: canary' }, 'x');
    expectClean();
  });

  it('OBS-3: an error brings type, message, code, stack and cause, and nothing of the request it carries', () => {
    const error = Object.assign(
      new TypeError('refused', { cause: Object.assign(new Error('below'), { body: 'canary' }) }),
      {
        code: 'ECONNREFUSED',
        headers: { authorization: 'canary' },
        request: { headers: { 'x-api-key': 'canary' }, body: 'canary' },
        response: { data: 'canary' },
      },
    );
    logger().error({ error, nested: { error } }, 'x');
    expect(last()['error']).toMatchObject({
      type: 'TypeError',
      message: 'refused',
      code: 'ECONNREFUSED',
      stack: expect.stringContaining('logger.spec') as string,
      cause: { type: 'Error', message: 'below' },
    });
    expectClean();
  });

  it('OBS-3: Secret values, store URLs with passwords and bytes are not readable', () => {
    const log = logger();
    log.info(
      { secret: new Secret('canary'), list: [new Secret('canary')], value: { deep: new Secret('canary') } },
      'x',
    );
    log.info({ url: 'redis://:canary@127.0.0.1:6379/0', text: 'to postgres://user:c@nary@host/db failed' }, 'x');
    expect(last()).toMatchObject({
      url: 'redis://[secret]@127.0.0.1:6379/0',
      text: 'to postgres://[secret]@host/db failed',
    });
    log.error({ err: new Error('connect mongodb+srv://user:canary@host/db') }, 'mongodb://user:canary@host');
    log.info({ body: Buffer.from('canary'), view: new Uint8Array([1, 2]) }, 'x');
    expect(last()).toMatchObject({ body: '[6 bytes]', view: '[2 bytes]' });
    expectClean();
  });

  it('OBS-3: what is no credential stays readable', () => {
    const fields = {
      inputTokens: 12,
      tokens: 3,
      keyId: 'key_0198c0de',
      keyName: 'ci',
      firstToken: null,
      model: 'gpt-5',
      path: '/v1/x?alt=sse',
    };
    logger().info(fields, 'task-scheduler at https://api.openai.com/v1 said sk- and risk-free');
    expect(last()).toMatchObject({
      ...fields,
      msg: 'task-scheduler at https://api.openai.com/v1 said sk- and risk-free',
    });
  });
});

describe('bad input', () => {
  it('OBS-3: cycles, depth, breadth, long texts and foreign objects are bounded', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    let deep: unknown = 'end';
    for (let i = 0; i < 1000; i++) deep = { deep };
    class Socket {
      readonly huge = Array.from({ length: 1e5 }, (_, i) => i);
    }
    logger().info({ cycle, deep }, 'x');
    logger().info({ wide: Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`k${i}`, i])) }, 'x');
    logger().info({ list: Array.from({ length: 1e5 }, (_, i) => i), text: 'x'.repeat(1e6), socket: new Socket() }, 'x');
    expect(lines.map((line) => line.length).every((length) => length < 20_000)).toBe(true);
    expect(last()).toMatchObject({ socket: '[Socket]', text: expect.stringMatching(/… \[995904 more\]$/) as string });
  });

  it('OBS-3: what cannot be read is said to be so and stops nothing', () => {
    const fields = {
      get bad(): string {
        throw new Error('no');
      },
    };
    logger().info(
      {
        fields,
        json: {
          toJSON: () => {
            throw new Error('no');
          },
        },
      },
      'x',
    );
    expect(last()).toMatchObject({ fields: '[unreadable]' });
    logger().info(fields, 'y');
    expect(last()).toMatchObject({ msg: 'y' });
  });

  it('OBS-3: bigint, dates, functions, symbols, NaN and undefined do no harm', () => {
    logger().info(
      { n: 10n ** 20n, d: new Date(0), bad: new Date(NaN), f: () => 1, s: Symbol('x'), nan: NaN, u: undefined },
      'x',
    );
    expect(last()).toMatchObject({ n: '100000000000000000000', d: '1970-01-01T00:00:00.000Z', bad: null, nan: null });
    expect(last()).not.toHaveProperty('f');
  });
});

describe('scrub', () => {
  it('takes linear time on hostile text', () => {
    const before = performance.now();
    for (const piece of ['sk-', 'a', 'eyJ', '://', '?key=', 'bearer ', 'a://a', 'AIza']) scrub(piece.repeat(100_000));
    expect(performance.now() - before).toBeLessThan(5000);
  });
});
