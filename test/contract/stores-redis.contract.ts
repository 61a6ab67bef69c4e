// One suite for both kinds of embedded server: the bundled WebAssembly engine always, a native one when it is on PATH.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { executablesOnPath } from '#libs/platform/executables.js';
import { askServer } from '#libs/stores/embedded-valkey/ask-server.js';
import type { EmbeddedRedis } from '#libs/stores/embedded-valkey/embedded-redis.js';
import { startEmbeddedRedis } from '#libs/stores/embedded-valkey/launch.js';
import { findRedisProgram } from '#libs/stores/embedded-valkey/native-server.js';
import { createRedis, redisReady, type RedisPurpose } from '#libs/stores/index.js';
import { startOwner, testFolder } from './stores-process.js';

const { folder: root, remove } = testFolder();
const servers = new Set<EmbeddedRedis>();
const clients = new Set<Redis>();

async function start(folder: string, more: Partial<Parameters<typeof startEmbeddedRedis>[0]>): Promise<EmbeddedRedis> {
  const server = await startEmbeddedRedis({
    folder: path.join(root, folder),
    wanted: 'bundled',
    lockWaitMs: 0,
    ...more,
  });
  servers.add(server);
  return server;
}

async function stop(server: EmbeddedRedis): Promise<void> {
  servers.delete(server);
  await server.stop();
}

async function connect(server: Pick<EmbeddedRedis, 'url'>, purpose: RedisPurpose = 'background'): Promise<Redis> {
  const client = createRedis(server.url, purpose);
  clients.add(client);
  return redisReady(client, server.url);
}

async function until(met: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await met())) {
    if (performance.now() > giveUpAt) throw new Error('did not come about');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all([...servers].map((server) => server.stop()));
  remove();
}, 30_000);

const program = await findRedisProgram();
const nativePath = program === null ? null : path.dirname(program.file);
if (nativePath === null) console.log('no redis-server on PATH: the native server is not tried here');

const kinds: { kind: string; options: { wanted: 'embedded' | 'bundled'; searchPath?: string } }[] = [
  { kind: 'wasm', options: { wanted: 'bundled' } },
  ...(nativePath === null
    ? []
    : [{ kind: 'native', options: { wanted: 'embedded', searchPath: nativePath } } as const]),
];

describe.each(kinds)('embedded Redis ($kind)', ({ kind, options }) => {
  let server: EmbeddedRedis;
  beforeAll(async () => {
    server = await start(kind, options);
  }, 20_000);

  it('OPS-1: nobody enters without the password, which is in a 0600 file', async () => {
    const [refusal] = await askServer(server.port, [['GET', 'a']], 1000);
    expect(String(refusal)).toContain('NOAUTH');
    expect(statSync(path.join(root, kind, 'password')).mode & 0o777).toBe(0o600);
    expect(server.description).not.toContain(new URL(server.url.reveal()).password);
  });

  it('OPS-1: a second starter is told who has the folder', async () => {
    await expect(start(kind, options)).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('OPS-1: what the product needs works: scripts, streams with groups, expiry, pub/sub, large values', async () => {
    const redis = await connect(server);
    expect(await redis.eval(`return redis.call('INCRBY', KEYS[1], ARGV[1])`, 1, 'n', '9007199254740993')).toBeDefined();
    expect(await redis.get('n')).toBe('9007199254740993');
    await redis.xgroup('CREATE', 'usage', 'worker', '0', 'MKSTREAM');
    await redis.xadd('usage', '*', 'event', Buffer.from([0, 255, 10]));
    const blocking = await connect(server, 'blocking');
    const read = await blocking.xreadgroup(
      'GROUP',
      'worker',
      'c1',
      'COUNT',
      10,
      'BLOCK',
      1000,
      'STREAMS',
      'usage',
      '>',
    );
    expect(read).toHaveLength(1);
    expect(await redis.xautoclaim('usage', 'worker', 'c2', 0, '0')).toBeDefined();
    await redis.set('short', 'x', 'PX', 30);
    await until(async () => (await redis.get('short')) === null);
    const listener = await connect(server, 'subscriber');
    const message = new Promise((resolve) => listener.on('message', (_channel, text) => resolve(text)));
    await listener.subscribe('hint');
    await redis.publish('hint', 'now');
    expect(await message).toBe('now');
    const large = Buffer.alloc(8 << 20, 'large');
    await redis.set('large', large);
    expect((await redis.getBuffer('large'))?.equals(large)).toBe(true);
    await redis.del('large');
  });

  it('OPS-3: a full memory takes what has a time to live, never what has none', async () => {
    const small = await start(`${kind} small`, { ...options, maxMemoryMb: 12 });
    const redis = await connect(small);
    await redis.set('registry', 'r'.repeat(1 << 20));
    const value = 'c'.repeat(1 << 16);
    for (let n = 0; n < 400; n++) await redis.set(`cache:${n}`, value, 'EX', 3600);
    expect(await redis.exists('registry')).toBe(1);
    expect(await redis.dbsize()).toBeLessThan(400);
    let refused = '';
    for (let n = 0; n < 400 && refused === ''; n++) {
      await redis.set(`owed:${n}`, value).catch((error: Error) => (refused = error.message));
    }
    expect(refused).toContain('OOM');
    expect(await redis.exists('registry', 'owed:0')).toBe(2);
    await stop(small);
  }, 20_000);

  it('OPS-3: a frozen server fails a command at its timeout, a dead one at once', async () => {
    const frozen = await start(`${kind} frozen`, options);
    const redis = await connect(frozen, 'commands');
    process.kill(frozen.pid, 'SIGSTOP');
    const startedAt = performance.now();
    await expect(redis.get('a')).rejects.toThrow('Command timed out');
    expect(performance.now() - startedAt).toBeLessThan(1000);
    process.kill(frozen.pid, 'SIGCONT');
    await until(async () => (await redis.get('a').catch(() => 'no')) === null);
    process.kill(frozen.pid, 'SIGKILL');
    expect(await frozen.ended).toBe('signal SIGKILL');
    await until(() => redis.status !== 'ready');
    await expect(redis.get('a')).rejects.toThrow();
    await stop(frozen);
  }, 20_000);

  it('OPS-1: data and password survive a stop', async () => {
    await (await connect(server)).set('kept', 'yes');
    await stop(server);
    const password = new URL(server.url.reveal()).password;
    server = await start(kind, options);
    expect(new URL(server.url.reveal()).password).toBe(password);
    expect(await (await connect(server)).get('kept')).toBe('yes');
  });

  it('OPS-1, OPS-3: after a kill -9 of its owner the next start has all data', async () => {
    const folder = path.join(root, `${kind} orphan`);
    const owner = await startOwner('redis', folder, kind === 'native' ? (nativePath as string) : undefined);
    const { Secret } = await import('#libs/platform/secret.js');
    const redis = await connect({ url: new Secret(owner.said['url'] as string) });
    await redis.set('written', 'just now');
    await owner.killHard();
    const next = await start(`${kind} orphan`, { ...options, lockWaitMs: 5000 });
    expect(await (await connect(next)).get('written')).toBe('just now');
    // The native server lives on and is taken over; the bundled one notices, saves and ends.
    expect(next.pid === Number(owner.said['pid'])).toBe(kind === 'native');
    await stop(next);
  }, 20_000);
});

describe('embedded Redis (wasm): snapshots', () => {
  const flipBit = (dump: Buffer): Buffer => {
    dump[dump.length - 20] = (dump[dump.length - 20] as number) ^ 1;
    return dump;
  };
  it.each([
    ['a flipped bit', flipBit],
    ['a cut end', (dump: Buffer) => dump.subarray(0, -3)],
    ['an empty file', () => Buffer.alloc(0)],
    ['what makes the engine loop for ever', () => Buffer.concat([Buffer.from('REDIS0011'), Buffer.alloc(200, 7)])],
  ])(
    'OPS-3: a damaged snapshot (%s) is moved aside and the server starts empty',
    async (_name, damage) => {
      rmSync(path.join(root, 'damaged'), { recursive: true, force: true });
      const first = await start('damaged', {});
      await (await connect(first)).set('a', '1');
      await stop(first);
      const dump = path.join(root, 'damaged/wasm/dump.rdb');
      writeFileSync(dump, damage(readFileSync(dump)));
      const said: string[] = [];
      const second = await start('damaged', { onProgress: (line) => said.push(line) });
      expect(await (await connect(second)).dbsize()).toBe(0);
      expect(said.join()).toMatch(/^warning: .*moved to .*dump\.rdb\.damaged-/);
      expect(readdirSync(path.dirname(dump)).filter((name) => name.includes('damaged'))).toHaveLength(1);
      await stop(second);
    },
    20_000,
  );

  it('OPS-3: it saves what changed, and nothing when nothing changed', async () => {
    const server = await start('saving', { saveIntervalMs: 50 });
    const dump = path.join(root, 'saving/wasm/dump.rdb');
    await (await connect(server)).set('a', '1');
    await until(() => existsSync(dump));
    const { mtimeMs } = statSync(dump);
    await new Promise((resolve) => setTimeout(resolve, 400)); // eight intervals
    expect(statSync(dump).mtimeMs).toBe(mtimeMs);
    await stop(server);
  }, 20_000);

  it('OPS-3: a snapshot that fails is reported, once, and so is its recovery', async () => {
    const said: string[] = [];
    const server = await start('failing', { saveIntervalMs: 50, onProgress: (line) => said.push(line) });
    const dump = path.join(root, 'failing/wasm/dump.rdb');
    const redis = await connect(server);
    mkdirSync(path.join(dump, 'in the way'), { recursive: true }); // renaming onto it is refused
    await redis.set('a', '1');
    await until(() => said.length > 0);
    await redis.set('a', '2'); // writes go on meanwhile
    rmSync(dump, { recursive: true });
    await until(() => said.length > 1);
    expect(said).toEqual([expect.stringMatching(/^warning: .*snapshot failed/), expect.stringMatching(/work again/)]);
    await stop(server);
  }, 20_000);

  it('OPS-3: data stays with the kind of server that wrote it', async () => {
    const folder = path.join(root, 'native data');
    mkdirSync(path.join(folder, 'native/appendonlydir'), { recursive: true });
    await expect(start('native data', { wanted: 'embedded', searchPath: root })).rejects.toThrow(
      /was written by a redis-server found on PATH, which is not there any more/,
    );
    renameSync(path.join(folder, 'native'), path.join(folder, 'away'));
    const server = await start('native data', { wanted: 'embedded', searchPath: root });
    expect(server.engine).toBe('wasm');
    await stop(server);
  }, 20_000);

  it('CFG-1: programs are looked for in absolute folders of PATH only', () => {
    expect(executablesOnPath('redis-server', `.${path.delimiter}relative`)).toEqual([]);
  });
});
