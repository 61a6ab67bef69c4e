import { AppError } from '#libs/platform/errors.js';
import {
  decode,
  encode,
  golden,
  SURFACES,
  translation,
  type GoldenCase,
  type SurfaceName,
} from '#test/fakes/golden-translations.js';

/** Every case in every direction: `[name, case, its surface, the other surface]`. */
function casesOf(kind: Parameters<typeof golden>[1]): [string, GoldenCase, SurfaceName, SurfaceName][] {
  return SURFACES.flatMap((surface) =>
    golden(surface, kind).flatMap((one) =>
      SURFACES.filter((other) => other !== surface).map((other): [string, GoldenCase, SurfaceName, SurfaceName] => [
        `${surface} → ${other}: ${one.name}`,
        one,
        surface,
        other,
      ]),
    ),
  );
}

const parsed = (bytes: Buffer): unknown => JSON.parse(bytes.toString());

describe('LLM-7: golden files', () => {
  it('hold at least 150 cases, some in every direction and of every kind', () => {
    const kinds = ['requests', 'answers', 'streams', 'errors'] as const;
    const all = kinds.map(casesOf);
    expect(all.flat().length).toBeGreaterThanOrEqual(150);
    for (const cases of all) expect(new Set(cases.map(([, , from, to]) => `${from} ${to}`)).size).toBe(12);
  });

  it.each(casesOf('requests'))('request %s', (_name, one, caller, provider) => {
    const { body, dropped } = translation(caller, provider, {
      body: one.in,
      model: one.model?.[provider],
      maxOutputTokens: one.maxOutputTokens,
    });
    expect({ body: parsed(body), dropped }).toEqual(one.out[provider]);
  });

  it.each(casesOf('answers'))('answer %s', (_name, one, provider, caller) => {
    const answer = (): unknown => {
      try {
        return parsed(translation(caller, provider).answer(Buffer.from(JSON.stringify(one.in))));
      } catch (error) {
        if (error instanceof AppError) return { failed: error.code, text: error.message };
        throw error;
      }
    };
    expect(answer()).toEqual(one.out[caller]);
  });

  it.each(casesOf('errors'))('error %s', (_name, one, provider, caller) => {
    const sent = Buffer.from(typeof one.in === 'string' ? one.in : JSON.stringify(one.in));
    const { status, body } = translation(caller, provider).error(one.status as number, sent);
    expect({ status, body: parsed(body) }).toEqual(one.out[caller]);
  });

  it.each(casesOf('streams'))('stream %s', (_name, one, provider, caller) => {
    const stream = translation(caller, provider).stream();
    const first = stream.push(encode(provider, one.in as unknown[]));
    expect(decode(Buffer.concat([first ?? Buffer.alloc(0), stream.end()]))).toEqual(one.out[caller]);
  });

  it.each(casesOf('streams'))('cut at every byte, the same comes out: %s', (_name, one, provider, caller) => {
    const bytes = encode(provider, one.in as unknown[]);
    const run = (pieces: readonly Buffer[]): string => {
      const stream = translation(caller, provider).stream();
      const out = pieces.map((piece) => stream.push(piece) ?? Buffer.alloc(0));
      return Buffer.concat([...out, stream.end()]).toString();
    };
    const whole = run([bytes]);
    // What reads the pieces does not know who the caller is: one caller per provider is cut in two at every place.
    const isFirst = caller === SURFACES.find((other) => other !== provider);
    for (let at = 1; isFirst && at < bytes.length; at++)
      if (run([bytes.subarray(0, at), bytes.subarray(at)]) !== whole) throw new Error(`differs when cut at ${at}`);
    expect(run(Array.from(bytes, (_byte, i) => bytes.subarray(i, i + 1)))).toBe(whole);
  });
});
