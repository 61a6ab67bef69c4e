import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { bootstrap } from '#libs/keys-budgets/index.js';
import { Public, Require } from '#libs/http/index.js';
import { connectPostgres } from '#libs/stores/index.js';
import { AccessControl } from '../../../apps/gateway/src/admin/access-control.js';
import { installAdmin } from '../../../apps/gateway/src/admin/install-admin.js';
import { OpenApi } from '../../../apps/gateway/src/admin/openapi.js';
import { eventually } from '../harness.js';
import { startAdminGateway, type AdminGateway } from './admin-gateway.js';

@Controller('declared')
class Declared {
  @Get()
  @Public('a route of this test that says something')
  get(): string {
    return 'x';
  }
  @Get('other')
  @Require('keys:read')
  other(): string {
    return 'x';
  }
}

@Controller('forgotten')
class Forgotten {
  @Get()
  get(): string {
    return 'x';
  }
}

async function start(
  controllers: (new () => object)[],
  extra?: (app: NestFastifyApplication) => void,
): Promise<NestFastifyApplication> {
  @Module({ controllers, providers: [OpenApi, { provide: AccessControl, useValue: {} }] })
  class Small {}
  const app = await NestFactory.create<NestFastifyApplication>(Small, new FastifyAdapter(), {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  installAdmin(app);
  extra?.(app);
  try {
    await app.listen(0, '127.0.0.1');
  } finally {
    await app.close();
  }
  return app;
}

describe('IAM-3: the start', () => {
  it('succeeds when every route declares its access', async () => {
    await expect(start([Declared])).resolves.toBeDefined();
  });

  it('fails when a controller route declares none, HEAD twin included', async () => {
    await expect(start([Declared, Forgotten])).rejects.toThrow(
      'these routes declare no permission (@Require, @Public or virtualKeyRoute): GET /forgotten, HEAD /forgotten',
    );
  });

  it('fails when somebody registers a route straight on Fastify', async () => {
    const sneak = (app: NestFastifyApplication): void => {
      app
        .getHttpAdapter()
        .getInstance()
        .route({ method: ['PUT', 'POST'], url: '/sneaked', handler: () => 'x' });
    };
    await expect(start([Declared], sneak)).rejects.toThrow(/PUT \/sneaked, POST \/sneaked$/);
  });
});

describe('bootstrap', () => {
  let gateway: AdminGateway;
  const folders: string[] = [];
  beforeAll(async () => {
    gateway = await startAdminGateway();
  }, 60_000);
  afterAll(async () => {
    await gateway?.stop();
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }, 30_000);
  const folder = async (): Promise<string> => {
    const made = await mkdtemp(path.join(os.tmpdir(), 'sf-boot-'));
    folders.push(made);
    return made;
  };
  const run = (dataDir: string) => bootstrap({ urls: gateway.urls, dataDir });
  const works = (token: string, key: string): Promise<boolean> =>
    eventually('both credentials work', 5_000, async () => {
      const answers = await Promise.all([
        gateway.call('GET', '/api/keys', { token }),
        gateway.call('GET', '/v1/models', { token: key }),
      ]);
      return answers.every((answer) => answer.status === 200) ? true : null;
    });

  it('CFG-2: the same credentials at each start, a new link each time, kept in a file for the owner alone', async () => {
    const dataDir = await folder();
    const one = await run(dataDir);
    const two = await run(dataDir);
    expect(two.adminToken.reveal()).toBe(one.adminToken.reveal());
    expect(two.firstKey.reveal()).toBe(one.firstKey.reveal());
    expect(two.adminLinkPath.reveal()).not.toBe(one.adminLinkPath.reveal());
    expect(await works(one.adminToken.reveal(), one.firstKey.reveal())).toBe(true);
    expect((await stat(path.join(dataDir, 'bootstrap.json'))).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(one)).not.toMatch(/sk-sf-|sf_admin_/);
  });

  it('CFG-2: instances on the same stores may start at once; each has its own pair and all of them work', async () => {
    const firsts = await Promise.all(Array.from({ length: 6 }, async () => run(await folder())));
    expect(new Set(firsts.map((first) => first.adminToken.reveal())).size).toBe(6);
    for (const first of firsts) expect(await works(first.adminToken.reveal(), first.firstKey.reveal())).toBe(true);
  }, 30_000);

  it('what was revoked is made anew; the other one stays', async () => {
    const dataDir = await folder();
    const one = await run(dataDir);
    expect(await works(one.adminToken.reveal(), one.firstKey.reveal())).toBe(true);
    const { firstKey } = JSON.parse(await readFile(path.join(dataDir, 'bootstrap.json'), 'utf8')) as {
      firstKey: { id: string };
    };
    expect((await gateway.call('DELETE', `/api/keys/${firstKey.id}`)).status).toBe(200);
    const two = await run(dataDir);
    expect(two.adminToken.reveal()).toBe(one.adminToken.reveal());
    expect(two.firstKey.reveal()).not.toBe(one.firstKey.reveal());
    expect(await works(two.adminToken.reveal(), two.firstKey.reveal())).toBe(true);
  });

  it.each(['', '{', 'null', '[]', '{"adminToken":{"id":"tok_1","secret":"sf_admin_x"},"firstKey":5}'])(
    'a file that holds %j is replaced',
    async (text) => {
      const dataDir = await folder();
      await writeFile(path.join(dataDir, 'bootstrap.json'), text, { mode: 0o644 });
      const first = await run(dataDir);
      expect(await works(first.adminToken.reveal(), first.firstKey.reveal())).toBe(true);
      expect((await stat(path.join(dataDir, 'bootstrap.json'))).mode & 0o777).toBe(0o600);
    },
  );

  it('KEY-1: no store holds a secret, neither of a key nor of a token nor of a link', async () => {
    const made = await gateway.call('POST', '/api/keys', { body: { name: 'canary' } });
    const secrets = [
      made.json.key as string,
      ...Object.values(gateway.first).map((secret) => secret.reveal().split('/').at(-1) as string),
    ];
    const owner = await connectPostgres(gateway.urls.postgresOwner, { poolSize: 1, applicationName: 'test' });
    const rows = (await owner.query(
      `SELECT to_jsonb(d)::text AS t FROM registry_documents d UNION ALL SELECT to_jsonb(a)::text FROM audit_log a
       UNION ALL SELECT to_jsonb(l)::text FROM admin_links l`,
    )) as { t: string }[];
    await owner.destroy();
    const redis = JSON.stringify(await gateway.redisCommand('HGETALL', 'sf:{registry}:docs'));
    const everything = rows.map((row) => row.t).join('\n') + redis;
    expect(everything).toContain('canary');
    for (const secret of secrets) expect(everything).not.toContain(secret.slice(-40));
  });

  it('IAM-4: a link ends after 30 minutes', async () => {
    const { adminLinkPath } = await run(await folder());
    const owner = await connectPostgres(gateway.urls.postgresOwner, { poolSize: 1, applicationName: 'test' });
    const life = (await owner.query(
      `SELECT max(expires_at) - now() < interval '30 minutes 1 second' AS short FROM admin_links`,
    )) as { short: boolean }[];
    expect(life[0]?.short).toBe(true);
    await owner.query(`UPDATE admin_links SET expires_at = now() - interval '1 second'`);
    await owner.destroy();
    expect((await gateway.call('POST', adminLinkPath.reveal(), { token: null })).status).toBe(404);
  });
});
