import { readdirSync, readFileSync } from 'node:fs';
import {
  anthropic,
  besideOf,
  type Dialect,
  gemini,
  openai,
  type Operation,
  withServiceTier,
} from '#libs/dialects/index.js';
import { bundledPriceTable, priceCall, type PricedProvider } from './index.js';

/** One answer of a provider as received, and its bill worked out by hand from published prices. */
interface GoldenCase {
  readonly shape: string;
  readonly dialect: 'openai' | 'anthropic' | 'gemini';
  readonly operation: Operation;
  readonly provider: Omit<PricedProvider, 'name'>;
  readonly model: string;
  readonly at: string;
  /** What the response header for the tier said. */
  readonly tierHeader?: string;
  readonly body?: unknown;
  readonly stream?: readonly string[];
  readonly arithmetic: readonly {
    readonly what: string;
    readonly count: number;
    readonly usdPerMillion?: number;
    readonly usdPerThousand?: number;
    readonly factor?: readonly [number, number];
    readonly nanos: number;
  }[];
  readonly costNanos: number;
  readonly estimates: readonly string[];
}

const FOLDER = new URL('./golden/', import.meta.url);
const cases = readdirSync(FOLDER)
  .sort()
  .map((file): [string, GoldenCase] => [
    file.replace('.json', ''),
    JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as GoldenCase,
  ]);
const dialects: Readonly<Record<GoldenCase['dialect'], Dialect>> = { openai, anthropic, gemini };
const table = bundledPriceTable();
const TAIL_BYTES = 8192;

/** What the relay keeps of a stream: its first block, at least its last 8 KiB, and marked blocks. */
function endsOf(frames: readonly string[], dialect: Dialect) {
  const whole = Buffer.from(frames.join(''));
  const marked = frames.filter((frame) => dialect.billedMark !== null && frame.includes(dialect.billedMark));
  return {
    head: Buffer.from(frames[0] ?? '').subarray(0, 4096),
    tail: whole.subarray(-TAIL_BYTES),
    marked: Buffer.from(marked.join('')),
  };
}

function usageOf({ dialect: name, operation, body, stream, tierHeader }: GoldenCase) {
  const dialect = dialects[name];
  const usage =
    stream === undefined
      ? dialect.usageOfBody(operation, Buffer.from(JSON.stringify(body)))
      : dialect.usageOfStream(operation, endsOf(stream, dialect));
  return usage === null || tierHeader === undefined ? usage : withServiceTier(usage, tierHeader);
}

describe('golden cost cases: an answer as received → nano-dollars', () => {
  it.each(cases)('KEY-5: %s', (_name, golden) => {
    const usage = usageOf(golden);
    if (usage === null) throw new Error('no usage was found');
    const { provider, model, at } = golden;
    const request = { provider: { name: 'p', ...provider }, model, atMs: Date.parse(at) };
    const bill = priceCall(table, { ...request, usage });
    expect(bill.costNanos).toBe(golden.costNanos);
    expect(bill.estimates).toEqual(golden.estimates);
    const counted = bill.components.map(({ count }) => count);
    expect(counted.sort()).toEqual(golden.arithmetic.map(({ count }) => count).sort());
    // What the ledger keeps of it gives the same bill again.
    const again = dialects[golden.dialect].usageOfRaw(usage.raw, besideOf(usage));
    expect(again).toEqual(usage);
  });

  it.each(cases)('KEY-5: the arithmetic of %s is right', (_name, { arithmetic, costNanos }) => {
    let sum = 0;
    for (const { count, usdPerMillion, usdPerThousand, factor = [1, 1], nanos } of arithmetic) {
      const exact = usdPerMillion === undefined ? count * (usdPerThousand ?? 0) * 1e6 : count * usdPerMillion * 1000;
      expect((exact * factor[0]) / factor[1]).toBeCloseTo(nanos, 5);
      sum += nanos;
    }
    expect(Math.ceil(Number(sum.toFixed(6)))).toBe(costNanos);
  });

  it('KEY-5: pretty-printed and re-ordered answers give the same usage', () => {
    for (const [, golden] of cases) {
      if (golden.body === undefined) continue;
      const dialect = dialects[golden.dialect];
      const pretty = Buffer.from(JSON.stringify(golden.body, null, 2));
      const reversed = Object.fromEntries(Object.entries(golden.body as object).reverse());
      const { raw: _raw, ...plain } =
        dialect.usageOfBody(golden.operation, Buffer.from(JSON.stringify(golden.body))) ?? {};
      expect(dialect.usageOfBody(golden.operation, pretty)).toMatchObject(plain);
      expect(dialect.usageOfBody(golden.operation, Buffer.from(JSON.stringify(reversed)))).toMatchObject(plain);
    }
  });
});
