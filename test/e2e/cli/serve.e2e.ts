import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, recordedChildren, startProduct, temporaryDataDir, StartFailed, type Product } from '../harness.js';
import { descendants, isRunning, processesNaming } from '../processes.js';

const START_MS = 100_000;

async function firstCall({ url, key }: Pick<Product, 'url' | 'key'>): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo/echo', messages: [{ role: 'user', content: 'Hello' }] }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.text();
  return response.status;
}

const serves = async ({ url }: Pick<Product, 'url'>): Promise<true | null> => {
  const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(2_000) });
  return response.ok ? true : null;
};

/** The process id of a child other than `before`, once it is recorded and the product serves. */
function replacement(product: Product, name: 'gateway' | 'worker', before: number): Promise<number> {
  return eventually(`another ${name}`, 30_000, async () => {
    const pid = (await recordedChildren(product.dataDir))[name];
    return pid !== before && isRunning(pid) && (await serves(product)) ? pid : null;
  });
}

describe('one running product', () => {
  let product: Product;
  let stopped = false;
  beforeAll(async () => {
    product = await startProduct({ config: { models: { before: { target: 'demo/echo' } } } });
  }, START_MS);
  afterAll(async () => {
    if (!stopped) await (product as Product | undefined)?.stop();
  }, 70_000);

  it('OPS-1 CFG-2: writes a ready file of mode 0600 that only names what scripts need, once it serves', async () => {
    expect((await stat(product.readyFile)).mode & 0o777).toBe(0o600);
    const ready = JSON.parse(await readFile(product.readyFile, 'utf8')) as Record<string, string>;
    expect(Object.keys(ready)).toEqual(['url', 'consoleUrl', 'adminToken', 'key']);
    expect(await serves(product)).toBe(true);
  });

  it('OPS-1: the printed curl line works as it stands', async () => {
    const line =
      product
        .logs()
        .split('\n')
        .find((text) => text.startsWith('curl ')) ?? '';
    expect(line).toContain(`${product.url}/v1/chat/completions`);
    const [, authorization, body] = /-H '(Authorization: [^']+)' .* -d '([^']+)'/.exec(line) ?? [];
    const response = await fetch(`${product.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: authorization?.slice('Authorization: '.length) ?? '',
        'content-type': 'application/json',
      },
      body: body ?? '',
    });
    expect(response.status).toBe(200);
    expect(JSON.stringify(await response.json())).toContain('Hello');
  });

  it('OPS-1: prints address, one-time admin link, first key, stores and data folder', () => {
    const text = product.logs();
    for (const part of [`serves on ${product.url}`, 'Sign in once', product.key, 'PostgreSQL', product.dataDir])
      expect(text).toContain(part);
  });

  it('no secret stands on a command line', async () => {
    const { gateway, worker } = await recordedChildren(product.dataDir);
    for (const pid of [product.pid, gateway, worker]) {
      const found = processesNaming('').find((entry) => entry.pid === pid);
      expect(found?.command).not.toMatch(/postgres(ql)?:\/\/|redis:\/\/|sk-sf-|sf_admin_/);
    }
  });

  it('OPS-3: a killed gateway comes back on the same address and answers calls', async () => {
    const { gateway } = await recordedChildren(product.dataDir);
    process.kill(gateway, 'SIGKILL');
    await replacement(product, 'gateway', gateway);
    expect(await firstCall(product)).toBe(200);
  }, 40_000);

  it('OPS-3: a killed worker comes back', async () => {
    const { worker } = await recordedChildren(product.dataDir);
    process.kill(worker, 'SIGKILL');
    await replacement(product, 'worker', worker);
  }, 40_000);

  it.each([
    ['Valkey', /embedded-valkey|valkey-server|redis-server/],
    ['PostgreSQL', /postgres -D/],
  ])(
    'OPS-3: a killed %s comes back and calls are answered again',
    async (_name, command) => {
      const [store] = descendants(product.pid).filter((found) => command.test(found.command));
      process.kill(store?.pid as number, 'SIGKILL');
      await eventually('the store to be back', 30_000, async () => {
        const back = descendants(product.pid).some((found) => command.test(found.command) && found.pid !== store?.pid);
        return back && (await firstCall(product)) === 200 ? true : null;
      });
    },
    40_000,
  );

  it('KEY-2: a team that leaves the file lifts no cap: its keys are refused, shown and told of in the log', async () => {
    const admin = { authorization: `Bearer ${product.adminToken}`, 'content-type': 'application/json' };
    const make = () =>
      fetch(`${product.url}/api/keys`, {
        method: 'POST',
        headers: admin,
        body: JSON.stringify({ name: 'left-behind', team: 'leaving' }),
      });
    const team = { budgets: [{ limit_usd: 1, period: 'daily' }] };
    await writeFile(product.configFile, JSON.stringify({ teams: { leaving: team } }));
    const made = await eventually('a key of the team', 10_000, async () => {
      const answer = await make();
      const body = (await answer.json()) as { id: string; key: string };
      return answer.status === 201 ? body : null;
    });
    const ask = async (): Promise<{ status: number; text: string }> => {
      const answer = await fetch(`${product.url}/v1/models`, { headers: { authorization: `Bearer ${made.key}` } });
      return { status: answer.status, text: await answer.text() };
    };
    expect((await ask()).status).toBe(200);
    await writeFile(product.configFile, '{}');
    const refused = await eventually('the refusal of its calls', 10_000, async () => {
      const answer = await ask();
      return answer.status === 200 ? null : answer;
    });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toMatchObject({
      error: { code: 'key_unusable', message: expect.stringContaining('team "leaving"') },
    });
    const shown = await fetch(`${product.url}/api/keys/${made.id}`, { headers: admin });
    expect(await shown.json()).toMatchObject({ status: 'active', problem: expect.stringContaining('team "leaving"') });
    await eventually('the log says it', 5_000, () => (product.logs().includes('left-behind') ? true : null));
    await fetch(`${product.url}/api/keys/${made.id}`, { method: 'DELETE', headers: admin });
  }, 40_000);

  it('CFG-1: a gateway that comes back has the last good settings, also when the file is faulty by then', async () => {
    const offered = async (): Promise<string> =>
      (await fetch(`${product.url}/v1/models`, { headers: { authorization: `Bearer ${product.key}` } })).text();
    await writeFile(product.configFile, JSON.stringify({ models: { later: { target: 'demo/echo' } } }));
    await eventually('the changed file', 10_000, async () => ((await offered()).includes('"later"') ? true : null));
    await writeFile(product.configFile, JSON.stringify({ models: { worse: { target: 'nowhere' } } }));
    await eventually('the refusal', 10_000, () => (product.logs().includes('refused') ? true : null));
    const { gateway } = await recordedChildren(product.dataDir);
    process.kill(gateway, 'SIGKILL');
    await replacement(product, 'gateway', gateway);
    expect(await offered()).toContain('"later"');
  }, 60_000);

  it('CFG-2: a second instance on the same data folder is refused and says which setting helps; the first serves on', async () => {
    const refused = await startProduct({ dataDir: product.dataDir }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StartFailed);
    expect((refused as StartFailed).exitCode).toBe(1);
    expect((refused as StartFailed).logs).toContain('SMARTFLOW_DATA_DIR');
    expect(await firstCall(product)).toBe(200);
  }, 40_000);

  it(
    'CFG-2: two instances with folders of their own run side by side',
    async () => {
      const other = await startProduct();
      try {
        expect(other.url).not.toBe(product.url);
        expect(await firstCall(other)).toBe(200);
        expect(await firstCall(product)).toBe(200);
      } finally {
        await other.stop();
      }
    },
    START_MS + 60_000,
  );

  it('OPS-2: SIGTERM ends everything in order and leaves nothing behind', async () => {
    const all = descendants(product.pid);
    expect(all.length).toBeGreaterThanOrEqual(4); // gateway, worker and two stores
    const readyFile = product.readyFile;
    process.kill(product.pid, 'SIGTERM');
    expect(await product.exited).toBe(0);
    expect(all.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(processesNaming(product.dataDir)).toEqual([]);
    expect(existsSync(readyFile)).toBe(false);
    expect(existsSync(path.join(product.dataDir, 'run.json'))).toBe(false);
    stopped = true;
    await product.cleanUp();
  }, 60_000);
});

describe('a product that was killed', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await temporaryDataDir();
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));

  it(
    'OPS-1 OPS-3: after kill -9 of the supervisor nothing but stores is left, and the next start serves with the same credentials',
    async () => {
      const first = await startProduct({ dataDir });
      const { gateway, worker } = await recordedChildren(dataDir);
      await first.kill();
      await eventually('end of the orphans', 15_000, () => (isRunning(gateway) || isRunning(worker) ? null : true));

      const second = await startProduct({ dataDir });
      try {
        expect({ adminToken: second.adminToken, key: second.key }).toEqual({
          adminToken: first.adminToken,
          key: first.key,
        });
        expect(await firstCall(second)).toBe(200);
      } finally {
        expect(await second.stop()).toBe(0);
      }
      expect(processesNaming(dataDir)).toEqual([]);
      await first.cleanUp();
    },
    2 * START_MS,
  );

  it(
    'OPS-1: an orderly restart keeps the credentials and the data',
    async () => {
      const first = await startProduct({ dataDir });
      await first.stop();
      const second = await startProduct({ dataDir });
      expect(second.key).toBe(first.key);
      expect(second.adminToken).toBe(first.adminToken);
      expect(await firstCall(second)).toBe(200);
      await second.stop();
    },
    2 * START_MS,
  );
});
