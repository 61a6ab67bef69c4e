import { AppError } from '#libs/platform/errors.js';
import { cloudBody } from './body.js';
import { BEDROCK, VERTEX, withBetas } from './features.js';

const bedrock = (body: unknown, betas: string[] = [], capabilities = BEDROCK) => {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const adapted = cloudBody(bytes, betas, ['model', 'stream'], capabilities);
  return { ...adapted, text: adapted.body.toString(), value: JSON.parse(adapted.body.toString()) as unknown };
};

describe('a Messages body for a cloud', () => {
  it('LLM-5: model and stream leave, the version comes, and every other byte stays', () => {
    const { text, dropped } = bedrock(
      '{ "model":"m",\t"temperature":1.50e0, "x":{"z":[1]},"stream" :true,"s":"h\\u00fc"}',
    );
    expect(text).toBe(
      '{ "anthropic_version":"bedrock-2023-05-31",\t"temperature":1.50e0, "x":{"z":[1]},"s":"h\\u00fc"}',
    );
    expect(dropped).toEqual([]);
  });

  it('LLM-5: a version of the caller stays', () => {
    expect(bedrock({ anthropic_version: 'mine', model: 'm', max_tokens: 1 }).value).toEqual({
      anthropic_version: 'mine',
      max_tokens: 1,
    });
  });

  it('LLM-5: betas move from header and body into the body, each once; unknown ones are named', () => {
    const { value, dropped } = bedrock({ anthropic_beta: ['context-1m-2025-08-07'], model: 'm', max_tokens: 1 }, [
      'context-1m-2025-08-07, claude-code-20250219',
      'interleaved-thinking-2025-05-14',
    ]);
    expect(value).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['context-1m-2025-08-07', 'interleaved-thinking-2025-05-14'],
      max_tokens: 1,
    });
    expect(dropped).toEqual(['anthropic-beta:claude-code-20250219']);
  });

  it('LLM-5: Vertex takes betas in the header', () => {
    const { body, betas } = cloudBody(
      Buffer.from('{"model":"m","anthropic_beta":["context-1m-2025-08-07"]}'),
      ['web-search-2025-03-05'],
      ['model'],
      VERTEX,
    );
    expect(JSON.parse(body.toString())).toEqual({ anthropic_version: 'vertex-2023-10-16' });
    expect(betas).toEqual(['web-search-2025-03-05', 'context-1m-2025-08-07']);
  });

  it('LLM-5: a beta an upstream knows by another name is sent under that', () => {
    expect(bedrock({ model: 'm' }, ['advanced-tool-use-2025-11-20']).value).toMatchObject({
      anthropic_beta: ['tool-search-tool-2025-10-19'],
    });
  });

  it('LLM-5: of a paired feature both halves go on or neither does', () => {
    const body = {
      model: 'm',
      output_format: { type: 'json_schema' },
      context_management: { edits: [] },
      tools: [
        { name: 'a', strict: true, defer_loading: true },
        { strict: false, name: 'b' },
      ],
      max_tokens: 1,
    };
    const both = bedrock(body, [
      'structured-outputs-2025-11-13,context-management-2025-06-27,tool-search-tool-2025-10-19',
    ]);
    expect(both.value).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['context-management-2025-06-27', 'tool-search-tool-2025-10-19'],
      context_management: { edits: [] },
      tools: [{ name: 'a', defer_loading: true }, { name: 'b' }],
      max_tokens: 1,
    });
    expect(both.dropped).toEqual(['anthropic-beta:structured-outputs-2025-11-13', 'output_format', 'tools[].strict']);
    // Without a beta the field is the upstream's to judge: features leave their beta one model at a time.
    expect(bedrock(body).value).toMatchObject({ output_format: {}, context_management: {} });
  });

  it('LLM-5: what an upstream never serves is taken out and named; a beta the operator adds goes on', () => {
    const adapted = bedrock({ model: 'm', mcp_servers: [{ url: 'u' }], service_tier: 'auto', max_tokens: 1 }, [
      'mcp-client-2025-11-20',
    ]);
    expect(adapted.value).toEqual({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 1 });
    expect(adapted.dropped).toEqual(['anthropic-beta:mcp-client-2025-11-20', 'mcp_servers', 'service_tier']);
    const more = withBetas(BEDROCK, ['structured-outputs-2025-11-13']);
    expect(bedrock({ model: 'm', output_format: {} }, ['structured-outputs-2025-11-13'], more)).toMatchObject({
      dropped: [],
      value: { output_format: {}, anthropic_beta: ['structured-outputs-2025-11-13'] },
    });
  });

  it.each(['"x"', '{}', '[1]', '7'])('LLM-5: anthropic_beta as %s is the caller’s mistake', (value) => {
    expect(() => bedrock(`{"model":"m","anthropic_beta":${value}}`)).toThrow(AppError);
  });

  it('LLM-5: any order of members and blanks gives the same object', () => {
    const members: [string, unknown][] = [
      ['model', 'm'],
      ['stream', true],
      ['speed', 'fast'],
      ['max_tokens', 5],
      ['anthropic_beta', ['effort-2025-11-24']],
    ];
    const expected = { anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['effort-2025-11-24'], max_tokens: 5 };
    for (let round = 0; round < members.length * 2; round++) {
      const turned = [...members.slice(round % 5), ...members.slice(0, round % 5)];
      const order = round < 5 ? turned : turned.toReversed();
      for (const indent of [0, 2, '\t'])
        expect(bedrock(JSON.stringify(Object.fromEntries(order), null, indent)).value).toEqual(expected);
    }
  });
});
