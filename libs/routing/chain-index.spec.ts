import { NO_LIMITS } from '#libs/platform/config.js';
import { type ChainConfig } from '#libs/platform/config.js';
import { DEFAULT_ORG_ID, RegistryState, type RegistryDocument } from '#libs/registry/index.js';
import { chainOf, FakeClock, models } from '../../test/fakes/routing.js';
import { ChainIndex, type ChainSources } from './chain-index.js';
import type { PlanParts } from './compile-chain.js';
import { failureOf } from './failure.js';
import { HealthBook } from './health-book.js';
import type { SharedChange } from './health-share.js';
import type { RoutePlan } from './route-plan.js';

const parts: PlanParts = { models, health: new HealthBook(new FakeClock()), costOf: () => null };
const chain = (name: string, ...targets: string[]): ChainConfig => ({
  name,
  ...chainOf({ steps: targets.map((model) => ({ targets: [{ model }] })) }),
});

function stateOf(version: number, chains: readonly ChainConfig[], orgId = DEFAULT_ORG_ID): RegistryState {
  const documents = chains.map(({ name, ...body }): RegistryDocument => ({
    orgId,
    kind: 'chain',
    id: `chain_${name}`,
    name,
    version,
    body: { ...body },
    createdAtMs: 0,
    updatedAtMs: 0,
  }));
  return RegistryState.empty.apply({ head: { lineage: 'l', version }, full: true, documents, removed: [] });
}

function indexOf(sources: Partial<ChainSources>): ChainIndex {
  return new ChainIndex({ registry: RegistryState.empty, fileChains: [], fileModels: [], ...sources }, parts);
}

const ids = (plan: RoutePlan | null): readonly (readonly string[])[] | null =>
  plan?.steps.map((step) => step.targets.map(({ id }) => id)) ?? null;

describe('ChainIndex', () => {
  it('RTE-1: a chain is used by its name, from the registry and from the file; the file goes before', () => {
    const index = indexOf({
      registry: stateOf(1, [chain('api', 'a/small'), chain('both', 'a/small')]),
      fileChains: [chain('both', 'b/small'), chain('file', 'named')],
    });
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'api'))).toEqual([['a/small']]);
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'both'))).toEqual([['b/small']]);
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'file'))).toEqual([['a/small']]);
    expect(index.planOf('org_other', 'api')).toBeNull();
    expect([...index.names(DEFAULT_ORG_ID)].sort()).toEqual(['api', 'both', 'file']);
  });

  it('LLM-5: a model by itself has a plan of one target; an unknown name has none', () => {
    const index = indexOf({});
    const plan = index.planOf(DEFAULT_ORG_ID, 'c/small');
    expect([ids(plan), plan?.chain, plan?.retry.maxAttempts, plan?.heedsBreakers]).toEqual([
      [['c/small']],
      null,
      1,
      false,
    ]);
    for (const name of ['nobody', '', '__proto__', 'x'.repeat(1_000)])
      expect(index.planOf(DEFAULT_ORG_ID, name)).toBeNull();
  });

  it('RTE-1: an attached chain stands behind the model asked for: of the key, else the team, else the model', () => {
    const index = indexOf({
      fileChains: [chain('k', 'b/small', 'a/small'), chain('t', 'c/small'), chain('m', 'd/small')],
      fileModels: [
        { name: 'named', provider: 'a', model: 'small', contextTokens: null, limits: NO_LIMITS, chain: 'm' },
      ],
    });
    const plan = (keyChain: string | null, teamChain: string | null, model = 'named'): unknown => {
      const found = index.chainFor({ orgId: DEFAULT_ORG_ID, model, keyChain, teamChain });
      return [found?.chain, ids(found)];
    };
    expect(plan('k', 't')).toEqual(['k', [['a/small'], ['b/small']]]);
    expect(plan(null, 't')).toEqual(['t', [['a/small'], ['c/small']]]);
    expect(plan(null, null)).toEqual(['m', [['a/small'], ['d/small']]]);
    expect(plan('gone', null)).toEqual([null, [['a/small']]]);
    expect(plan('k', null, 't')).toEqual(['t', [['c/small']]]);
  });

  it('LLM-6: a chain may be asked for with [1m]: its targets carry the suffix', () => {
    const plan = indexOf({ fileChains: [chain('long', 'a/big')] }).planOf(DEFAULT_ORG_ID, 'long[1m]');
    expect(plan?.steps[0]?.targets[0]?.target).toMatchObject({ model: 'big', longContext: true });
  });

  it('RTE-1: what has become of a saved chain: lost targets are left out, circles too, an empty one refuses', () => {
    const index = indexOf({
      registry: stateOf(1, [
        chain('part', 'chain-gone', 'a/small'),
        chain('chain-x', 'chain-y', 'a/small'),
        chain('chain-y', 'chain-x', 'b/small'),
        chain('empty', 'chain-gone'),
      ]),
    });
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'part'))).toEqual([['a/small']]);
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'chain-x'))).toEqual([['b/small'], ['a/small']]);
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'empty'))).toEqual([]);
  });

  it('keeps its plans while nothing in it changes, and is another one when something does', () => {
    const sources = { registry: stateOf(1, [chain('c', 'a/small')]), fileChains: [], fileModels: [] };
    const index = new ChainIndex(sources, parts);
    const plan = index.planOf(DEFAULT_ORG_ID, 'c');
    expect(index.planOf(DEFAULT_ORG_ID, 'c')).toBe(plan);
    const untouched = sources.registry.apply({
      head: { lineage: 'l', version: 2 },
      full: false,
      documents: [],
      removed: [],
    });
    expect(index.at({ ...sources, registry: untouched }, parts)).toBe(index);
    const next = index.at({ ...sources, registry: stateOf(3, [chain('c', 'b/small')]) }, parts);
    expect(ids(next.planOf(DEFAULT_ORG_ID, 'c'))).toEqual([['b/small']]);
    expect(ids(index.planOf(DEFAULT_ORG_ID, 'c'))).toEqual([['a/small']]);
  });

  it('RTE-3: two chains that share a target share what is known of it', () => {
    const index = indexOf({ fileChains: [chain('one', 'a/small'), chain('two', 'a/small')] });
    const [one, two] = ['one', 'two'].map((name) => index.planOf(DEFAULT_ORG_ID, name)?.steps[0]?.targets[0]?.state);
    expect(one).toBe(two);
  });

  it('RTE-3: others are told of the model that a chain stands behind, and not of one that is called by itself', async () => {
    const told: unknown[] = [];
    const health = new HealthBook(new FakeClock());
    const tell = async ({ target }: SharedChange, isNamed?: boolean) => void told.push([target, isNamed]);
    const share = { tell, openings: async () => [] };
    await health.connect({ ...share, listen: () => () => {} }, () => {});
    const sources = { registry: RegistryState.empty, fileChains: [chain('k', 'b/small')], fileModels: [] };
    const index = new ChainIndex(sources, { ...parts, health });
    const request = { orgId: DEFAULT_ORG_ID, teamChain: null };
    const plans = [
      index.chainFor({ ...request, model: 'a/small', keyChain: 'k' }),
      index.chainFor({ ...request, model: 'c/small', keyChain: null }),
    ];
    for (const plan of plans) plan?.steps[0]?.targets[0]?.state.bad(1, { ...failureOf('auth'), status: 401 });
    plans[0]?.steps[1]?.targets[0]?.state.bad(1, { ...failureOf('auth'), status: 401 });
    health.disconnect();
    expect(told).toEqual([
      ['a/small', true],
      ['b/small', false],
    ]);
  });

  it('RTE-3: as long as a plan is remembered, the state in it is the one that all others see', () => {
    const health = new HealthBook(new FakeClock());
    const sources = { registry: RegistryState.empty, fileChains: [chain('k', 'b/small')], fileModels: [] };
    const index = new ChainIndex(sources, { ...parts, health });
    const first = { orgId: DEFAULT_ORG_ID, model: 'a/first', keyChain: 'k', teamChain: null };
    const state = index.chainFor(first)?.steps[0]?.targets[0]?.state;
    for (let i = 0; i < 4_000; i++) index.planOf(DEFAULT_ORG_ID, `a/${i}`);
    expect(index.chainFor(first)?.steps[0]?.targets[0]?.state).toBe(state);
    expect(health.passingStateOf('a/first')).toBe(state);
  });

  it('RTE-3: a target costs what its organisation pays at the moment it is chosen', () => {
    const prices = { org_a: 5, org_b: 7 };
    const costOf: PlanParts['costOf'] = (orgId) => prices[orgId as keyof typeof prices];
    const registry = stateOf(1, [chain('c', 'a/small')], 'org_a').apply({
      head: { lineage: 'l', version: 2 },
      full: false,
      documents: [...stateOf(2, [chain('c', 'a/small')], 'org_b').all('chain')],
      removed: [],
    });
    const index = new ChainIndex({ registry, fileChains: [], fileModels: [] }, { ...parts, costOf });
    const [a, b] = ['org_a', 'org_b'].map((orgId) => index.planOf(orgId, 'c')?.steps[0]?.targets[0]);
    expect([a?.costNanos(), b?.costNanos()]).toEqual([5, 7]);
    prices.org_a = 9;
    expect([a?.costNanos(), index.planOf('org_a', 'c')?.steps[0]?.targets[0]]).toEqual([9, a]);
  });
});
