import { createSecretKey, randomBytes } from 'node:crypto';
import type { Role } from '#libs/http/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { RegistryState, type RegistryDocument, type RegistryLook, type RegistryWriter } from '#libs/registry/index.js';
import { KeyAdmin, type KeyEditor } from './key-admin.js';
import { NO_FILE_OWNERS } from './owner-index.js';

const blocked: RegistryDocument = {
  orgId: 'org_default',
  kind: 'key',
  id: 'key_1',
  name: 'k',
  version: 1,
  body: { publicId: 'p', digest: 'd', blocked: { atMs: 1, reason: null } },
  createdAtMs: 0,
  updatedAtMs: 0,
};

describe('who may make a key work', () => {
  const look: RegistryLook = {
    get: async ({ kind }) => (kind === 'key' ? blocked : null),
    named: async () => [],
    holding: async () => [],
  };
  const writer = {
    changeAll: async (plan: (look: RegistryLook) => Promise<readonly unknown[]>) =>
      (await plan(look)).map(() => blocked),
  } as unknown as RegistryWriter;
  const feed = { current: () => RegistryState.empty } as never;
  const pepper = createSecretKey(randomBytes(32));
  const admin = new KeyAdmin(writer, feed, () => ({ ...NO_FILE_OWNERS, keys: [] }), pepper, systemClock);
  const editor = (role: Role): KeyEditor => ({
    orgId: 'org_default',
    role,
    origin: { actor: { kind: 'token', id: 't', name: 't' } } as never,
  });
  const ref = { id: 'key_1', expectedVersion: null };
  const refusal = expect.objectContaining({
    code: 'permission_denied',
    message: expect.stringContaining('more than you may give'),
  });

  it('KEY-1: nobody gets a new secret of a key that they could not make', async () => {
    await expect(admin.rotate(editor('proxy_admin_viewer'), ref, 0)).rejects.toEqual(refusal);
    expect((await admin.rotate(editor('proxy_admin'), ref, 0)).view.id).toBe('key_1');
  });

  it('KEY-1: nobody lets a key work again that they could not make, neither alone nor among many', async () => {
    await expect(admin.unblock(editor('proxy_admin_viewer'), ref)).rejects.toEqual(refusal);
    await expect(admin.changeMany(editor('proxy_admin_viewer'), ['key_1'], 'unblock', null)).rejects.toMatchObject({
      faults: [{ path: 'ids[0]', message: expect.stringContaining('more than you may give') }],
    });
    expect((await admin.unblock(editor('proxy_admin'), ref)).id).toBe('key_1');
  });
});
