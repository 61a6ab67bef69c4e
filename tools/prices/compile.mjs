// Builds libs/pricing/price-table.gen.json from the data of @pydantic/genai-prices (MIT, a development dependency), our own
// dated table own-prices.gen.json (newer models, service tiers, output limits; its sources stand in it) and demo-prices.json. Usage (Node 24): node tools/prices/compile.mjs [--check]
// Output is stable: same data, same bytes. The version's date only moves when the content does. --check writes nothing
// and fails when the committed file is not what the data gives. Nothing is fetched.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { waitForUpdate } from '@pydantic/genai-prices';
import { usdToPicos } from '../../libs/pricing/units.ts';

const OUTPUT = new URL('../../libs/pricing/price-table.gen.json', import.meta.url);
const PACKAGE = new URL('../../node_modules/@pydantic/genai-prices/package.json', import.meta.url);
const DEMO = new URL('./demo-prices.json', import.meta.url);
const OWN = new URL('./own-prices.gen.json', import.meta.url);

/** Price keys of the source, USD per million tokens, and their names in our table. */
const TOKEN_RATES = {
  input_mtok: 'input',
  output_mtok: 'output',
  cache_read_mtok: 'cacheRead',
  cache_write_mtok: 'cacheWrite5m',
  cache_write_1h_mtok: 'cacheWrite1h',
  input_audio_mtok: 'inputAudio',
  input_image_mtok: 'inputImage',
  input_video_mtok: 'inputVideo',
  cache_audio_read_mtok: 'cacheReadAudio',
  cache_image_read_mtok: 'cacheReadImage',
  output_audio_mtok: 'outputAudio',
  output_image_mtok: 'outputImage',
  output_video_mtok: 'outputVideo',
};
/** USD per thousand uses. */
const USE_RATES = { web_searches_kcount: 'webSearch', storage_searches_kcount: 'fileSearch', requests_kcount: 'call' };
/** Known and left out: no usage shape of ours counts these. A key in neither list stops the build. */
const UNUSED = new Set([
  'output_reasoning_mtok',
  'output_citation_mtok',
  'audio_hours',
  'input_audio_hours',
  'input_document_kpages',
  'input_annotated_document_kpages',
  'input_text_messages_kcount',
  'input_mchars',
]);

function secondsOfDay(text) {
  const [, hours, minutes, seconds] = /^(\d\d):(\d\d):(\d\d)Z$/.exec(text);
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** All rates of a period, one complete row per tier: a tier of the source names only the price it changes. */
function tiersOf(prices) {
  const rates = Object.entries(prices).filter(([key]) => key in TOKEN_RATES);
  const starts = new Set([-1]);
  for (const [, price] of rates) for (const tier of price.tiers ?? []) starts.add(tier.start);
  return [...starts]
    .sort((a, b) => a - b)
    .map((above) => {
      const row = { above };
      for (const [key, price] of rates) {
        let usd = typeof price === 'number' ? price : price.base;
        for (const tier of [...(price.tiers ?? [])].sort((a, b) => a.start - b.start))
          if (tier.start <= above) usd = tier.price;
        row[TOKEN_RATES[key]] = usdToPicos(usd);
      }
      return row;
    });
}

function periodOf({ constraint, prices }, modelId) {
  for (const key of Object.keys(prices)) {
    if (!(key in TOKEN_RATES) && !(key in USE_RATES) && !UNUSED.has(key))
      throw new Error(`unknown price key ${key} at ${modelId}`);
  }
  const period = {};
  if (constraint?.type === 'start_date') period.from = constraint.start_date;
  else if (constraint?.type === 'time_of_date')
    period.daySeconds = [secondsOfDay(constraint.start_time), secondsOfDay(constraint.end_time)];
  else if (constraint !== undefined) throw new Error(`unknown constraint at ${modelId}`);
  // No price at all means "free" where the name says so, otherwise that the source knows none.
  const isFree = Object.keys(prices).length === 0 && /\bfree\b/.test(modelId);
  period.tiers = isFree
    ? [{ above: -1, input: 0, output: 0 }]
    : prices.input_mtok === undefined
      ? null
      : tiersOf(prices);
  for (const [key, name] of Object.entries(USE_RATES))
    if (prices[key] !== undefined) period[name] = usdToPicos(prices[key], 1000);
  return period;
}

const periodsOf = (model) => (Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]);
const startOf = (period) => period.constraint?.start_date ?? '';

/** The entry in force on a day; the first where none is yet. */
function inForce(periods, day) {
  return periods.findLast((period) => startOf(period) <= day) ?? periods[0];
}

/** Prices of one service tier: what the tier names, over the standard price of the day; one period per change of either. */
function tierPeriods(model, changes) {
  const standard = periodsOf(model).filter((period) => period.constraint?.type !== 'time_of_date');
  const first = startOf(changes[0]);
  const days = new Set([first, ...changes.map(startOf), ...standard.map(startOf).filter((day) => day > first)]);
  return [...days].sort().map((day) => {
    const prices = { ...inForce(standard, day).prices, ...inForce(changes, day).prices };
    const constraint = day === '' ? undefined : { type: 'start_date', start_date: day };
    return periodOf({ constraint, prices }, model.id);
  });
}

/** The package's models with ours over them; new ones come first, as their rules are the narrower ones. */
function modelsOf(provider, own) {
  const ours = new Map((own.models[provider.id] ?? []).map((model) => [model.id, model]));
  const known = new Set(provider.models.map(({ id }) => id));
  const added = [...ours.values()].filter(({ id }) => !known.has(id));
  return [...added, ...provider.models.map((model) => ours.get(model.id) ?? model)];
}

function providerOf(provider, own) {
  return {
    api: provider.api_pattern,
    ...(provider.fallback_model_providers && { fallback: provider.fallback_model_providers }),
    models: modelsOf(provider, own).map((model) => {
      const outputTokens = own.outputTokens[provider.id]?.[model.id];
      const tiers = own.tiers[provider.id]?.[model.id];
      return {
        id: model.id,
        ...(model.context_window && { contextTokens: model.context_window }),
        ...(outputTokens && { outputTokens }),
        ...(own.regional[provider.id]?.includes(model.id) && { regional: true }),
        match: model.match,
        prices: periodsOf(model).map((period) => periodOf(period, model.id)),
        ...(tiers && {
          serviceTiers: Object.fromEntries(
            Object.entries(tiers).map(([name, changes]) => [name, tierPeriods(model, changes)]),
          ),
        }),
      };
    }),
  };
}

/** JSON with one model per line, so that a change of price is a change of one line. */
function render(version, source, providers) {
  const blocks = Object.entries(providers).map(([id, { models, ...head }]) => {
    const open = `${JSON.stringify(id)}: ${JSON.stringify(head).slice(0, -1)}, "models": [`;
    return `${open}\n${models.map((model) => `  ${JSON.stringify(model)}`).join(',\n')}\n]}`;
  });
  return `{\n"version": ${JSON.stringify(version)},\n"source": ${JSON.stringify(source)},\n"unit": "pico-dollars",\n"providers": {\n${blocks.join(',\n')}\n}}\n`;
}

function readPrevious() {
  try {
    return readFileSync(OUTPUT, 'utf8');
  } catch {
    return null;
  }
}

const list = await waitForUpdate(); // the data inside the package
const all = [...list, ...JSON.parse(readFileSync(DEMO, 'utf8'))].sort((a, b) => (a.id < b.id ? -1 : 1));
const own = JSON.parse(readFileSync(OWN, 'utf8'));
const providers = Object.fromEntries(all.map((provider) => [provider.id, providerOf(provider, own)]));
const source = `@pydantic/genai-prices ${JSON.parse(readFileSync(PACKAGE, 'utf8')).version}, own-prices ${own.dated}`;
const digest = createHash('sha256').update(JSON.stringify(providers)).digest('hex').slice(0, 12);
const previous = readPrevious();
const previousVersion = previous === null ? '' : JSON.parse(previous).version;
const version = previousVersion.endsWith(`.${digest}`)
  ? previousVersion
  : `${new Date().toISOString().slice(0, 10)}.${digest}`;
const text = render(version, source, providers);
JSON.parse(text);

if (process.argv.includes('--check')) {
  if (text !== previous) {
    console.error('libs/pricing/price-table.gen.json is out of date: run node tools/prices/compile.mjs');
    process.exit(1);
  }
  console.log(`price table ${version} is up to date`);
} else {
  writeFileSync(OUTPUT, text);
  console.log(
    `price table ${version}: ${all.length} providers, ${all.reduce((sum, p) => sum + p.models.length, 0)} models, ${text.length} bytes`,
  );
}
