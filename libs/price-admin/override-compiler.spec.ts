import type { PriceOverride } from '#libs/platform/config.js';
import { RegistryState, type RegistryDocument } from '#libs/registry/index.js';
import { OverrideCompiler } from './override-compiler.js';
import type { PriceSet } from './price-document.js';

const SET: PriceSet = {
  inputUsd: 1,
  outputUsd: 2,
  cachedInputUsd: null,
  cacheWrite5mUsd: null,
  cacheWrite1hUsd: null,
  inputAudioUsd: null,
  outputAudioUsd: null,
  inputImageUsd: null,
  outputImageUsd: null,
  webSearchUsd: null,
};

function document(id: string, target: string, more: { orgId?: string; version?: number } = {}): RegistryDocument {
  const { orgId = 'org_default', version = 1 } = more;
  const [provider = '', model = ''] = target.split('/');
  const body = { provider, model, prices: SET, fromMs: 5, note: null };
  return { orgId, kind: 'price', id, name: target, version, body, createdAtMs: 0, updatedAtMs: 0 };
}

function stateOf(version: number, documents: readonly RegistryDocument[]): RegistryState {
  return RegistryState.empty.apply({ head: { lineage: 'l', version }, full: true, documents, removed: [] });
}

const file: readonly PriceOverride[] = [{ ...SET, provider: 'openai', model: 'gpt-5', fromMs: 0 }];

describe('OverrideCompiler', () => {
  it('KEY-5: an organisation gets the prices of the file and its own, and nobody else’s', () => {
    const state = stateOf(1, [document('price_1', 'openai/o3'), document('price_2', 'openai/o4', { orgId: 'org_2' })]);
    const overrides = new OverrideCompiler().compile(state, file);
    expect(overrides.of('org_default').map(({ model }) => model)).toEqual(['gpt-5', 'o3']);
    expect(overrides.of('org_2').map(({ model }) => model)).toEqual(['gpt-5', 'o4']);
    expect(overrides.of('org_3')).toBe(file);
    expect(overrides.of('org_default')[1]).toEqual({ ...SET, provider: 'openai', model: 'o3', fromMs: 5 });
  });

  it('KEY-5: what the file prices is the file’s alone', () => {
    const overrides = new OverrideCompiler().compile(stateOf(1, [document('price_1', 'openai/gpt-5')]), file);
    expect(overrides.of('org_default')).toEqual(file);
  });

  it('KEY-5: the lists stay the same while no price changes, so that nothing is compiled twice', () => {
    const compiler = new OverrideCompiler();
    const state = stateOf(1, [document('price_1', 'openai/o3')]);
    const first = compiler.compile(state, file);
    const key = { ...document('key_1', 'openai/x'), kind: 'key' as const, version: 2 };
    const next = state.apply({ head: { lineage: 'l', version: 2 }, full: false, documents: [key], removed: [] });
    expect(compiler.compile(next, file)).toBe(first);
    expect(compiler.compile(next, [...file])).not.toBe(first);
    const changed = next.apply({
      head: { lineage: 'l', version: 3 },
      full: false,
      documents: [],
      removed: [{ orgId: 'org_default', kind: 'price', id: 'price_1' }],
    });
    expect(compiler.compile(changed, file).of('org_default')).toBe(file);
  });
});
