import { createSecretKey, randomBytes } from 'node:crypto';
import { RegistryState, type FeedHealth, type RegistryDocument, type RegistryFeed } from '#libs/registry/index.js';
import { newToken } from './token-admin.js';
import type { TokenBody } from './token-document.js';
import { TokenIndex } from './token-index.js';

const pepper = createSecretKey(randomBytes(32));

/** A feed whose state and health the test sets. */
class SetFeed implements RegistryFeed {
  state = RegistryState.empty;
  blind = false;
  current(): RegistryState {
    return this.state;
  }
  health(): FeedHealth {
    return { version: this.state.version, source: 'redis', ageMs: 0, blind: this.blind };
  }
  subscribe(): () => void {
    return () => {};
  }
  async refresh(): Promise<void> {}
  put(version: number, body: TokenBody): void {
    const document: RegistryDocument = {
      orgId: 'org_default',
      kind: 'api_token',
      id: 'tok_1',
      name: 'ci',
      version,
      body,
      createdAtMs: 0,
      updatedAtMs: 0,
    };
    const head = { lineage: 'l', version };
    this.state = this.state.apply({ head, full: false, documents: [document], removed: [] });
  }
}

describe('TokenIndex', () => {
  const { secret, body } = newToken(pepper, 'proxy_admin_viewer', 1_000);
  const feed = new SetFeed();
  const index = new TokenIndex(feed, pepper);
  const find = (nowMs = 0) => index.find(secret.reveal(), nowMs);
  beforeEach(() => {
    feed.state = RegistryState.empty;
    feed.blind = false;
  });

  it('CFG-3: follows the registry: unknown, known, revoked', () => {
    expect(find()).toBeNull();
    feed.put(1, body);
    expect(find()).toMatchObject({ id: 'tok_1', name: 'ci', orgId: 'org_default', role: 'proxy_admin_viewer' });
    feed.put(2, { ...body, revokedAtMs: 5 });
    expect(find()).toBeNull();
  });

  it('CFG-3: ends at the moment of its expiry', () => {
    feed.put(1, body);
    expect(find(999)).not.toBeNull();
    expect(find(1_000)).toBeNull();
  });

  it('OPS-3: refuses to judge when the registry has not been confirmed for longer than its grace', () => {
    feed.put(1, body);
    feed.blind = true;
    expect(() => find()).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
    expect(index.find('nonsense', 0)).toBeNull();
  });
});
