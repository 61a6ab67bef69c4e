import { FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai';
import { type DemoProvider, startDemoProvider } from './index.js';

let demo: DemoProvider;
// The SDK looks for Node's own HTTP client at a global symbol, which jest's sandbox does not have: take it from outside.
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
type Globals = Record<symbol, unknown>;

beforeAll(async () => {
  const outside = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Globals;
  (globalThis as unknown as Globals)[DISPATCHER] = outside[DISPATCHER];
  demo = await startDemoProvider();
});
afterAll(() => demo.stop());

const WEATHER = {
  type: Type.OBJECT,
  properties: { city: { type: Type.STRING }, days: { type: Type.INTEGER } },
  required: ['city', 'days'],
};

function post(path: string, body: object): Promise<Response> {
  return fetch(`${demo.baseUrl}/v1beta/models/${path}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': demo.token },
    body: JSON.stringify(body),
  });
}

describe.each(['v1', 'v1beta'])('CFG-4: Gemini %s through the official SDK', (apiVersion) => {
  const client = (): GoogleGenAI =>
    new GoogleGenAI({ apiKey: demo.token, apiVersion, httpOptions: { baseUrl: demo.baseUrl } });
  it('CFG-4: echo, with usage metadata', async () => {
    const answer = await client().models.generateContent({
      model: 'echo',
      contents: 'hello',
      config: { systemInstruction: 'Be kind' },
    });
    expect(answer.text).toBe('hello');
    expect(answer.candidates?.[0]).toMatchObject({ finishReason: 'STOP', index: 0, content: { role: 'model' } });
    expect(answer.usageMetadata).toEqual({
      promptTokenCount: 3,
      candidatesTokenCount: 2,
      totalTokenCount: 5,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 3 }],
    });
    expect(answer.modelVersion).toBe('echo');
  });
  it('CFG-4: a stream brings growing usage and ends with a reason', async () => {
    const chunks = [];
    for await (const chunk of await client().models.generateContentStream({ model: 'story-6', contents: 'tell' }))
      chunks.push(chunk);
    expect(chunks).toHaveLength(6);
    expect(chunks.map(({ usageMetadata }) => usageMetadata?.candidatesTokenCount)).toEqual([4, 8, 12, 16, 20, 24]);
    expect(chunks.map(({ candidates }) => candidates?.[0]?.finishReason)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'STOP',
    ]);
  });
  it('CFG-4: without alt=sse the chunks are one JSON array; fields may be written in snake case', async () => {
    const body = {
      contents: [{ parts: [{ text: 'a text of more than one piece' }] }],
      generation_config: { max_output_tokens: 5 },
    };
    const response = await post('echo:streamGenerateContent', body);
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    const chunks = (await response.json()) as {
      candidates: { content: { parts: { text: string }[] }; finishReason?: string }[];
    }[];
    expect(chunks.map(({ candidates }) => candidates[0]?.content.parts[0]?.text).join('')).toBe('a text of more than ');
    expect(chunks.at(-1)?.candidates[0]?.finishReason).toBe('MAX_TOKENS');
    const events = await (await post('echo:streamGenerateContent?alt=sse', body)).text();
    expect(events).toMatch(/^data: \{.*\}\r\n\r\ndata: \{.*\}\r\n\r\n$/);
  });
  it('CFG-4: a tool round trip', async () => {
    const config = { tools: [{ functionDeclarations: [{ name: 'get_weather', parameters: WEATHER }] }] };
    const first = await client().models.generateContent({ model: 'tool', contents: 'weather?', config });
    expect(first.functionCalls).toEqual([{ name: 'get_weather', args: { city: 'demo', days: 0 } }]);
    const contents = [
      { role: 'user', parts: [{ text: 'weather?' }] },
      { role: 'model', parts: [{ functionCall: { name: 'get_weather', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'get_weather', response: { sky: 'blue' } } }] },
    ];
    expect((await client().models.generateContent({ model: 'tool', contents, config })).text).toBe(
      'The tool answered: {"sky":"blue"}',
    );
    const none = { ...config, toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } } };
    expect((await client().models.generateContent({ model: 'tool', contents: 'x', config: none })).text).toMatch(
      /No tool/,
    );
  });
  it('CFG-4: candidates, stop sequences, structured output, images', async () => {
    const many = await client().models.generateContent({
      model: 'echo',
      contents: 'abcd',
      config: { candidateCount: 2 },
    });
    expect([many.candidates?.length, many.usageMetadata?.candidatesTokenCount]).toEqual([2, 2]);
    const stopped = await client().models.generateContent({
      model: 'echo',
      contents: 'one two',
      config: { stopSequences: [' '] },
    });
    expect([stopped.text, stopped.candidates?.[0]?.finishReason]).toEqual(['one', 'STOP']);
    const structured = await client().models.generateContent({
      model: 'echo',
      contents: 'x',
      config: { responseMimeType: 'application/json', responseSchema: WEATHER },
    });
    expect(JSON.parse(structured.text ?? '')).toEqual({ city: 'demo', days: 0 });
    const image = await client().models.generateContent({
      model: 'echo',
      contents: [{ text: 'look' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
    });
    expect(image.usageMetadata?.promptTokensDetails).toEqual([
      { modality: 'TEXT', tokenCount: 1 },
      { modality: 'IMAGE', tokenCount: 85 },
    ]);
  });
  it('CFG-4: countTokens and embeddings', async () => {
    expect((await client().models.countTokens({ model: 'echo', contents: '12345' })).totalTokens).toBe(2);
    const embedded = await client().models.embedContent({
      model: 'embed',
      contents: ['one', 'two'],
      config: { outputDimensionality: 32 },
    });
    expect(embedded.embeddings?.map(({ values }) => values?.length)).toEqual([32, 32]);
    const single = (await (
      await post('embed:embedContent', { content: { parts: [{ text: 'one' }] }, outputDimensionality: 32 })
    ).json()) as { embedding: { values: number[] } };
    expect(single.embedding.values).toEqual(embedded.embeddings?.[0]?.values);
  });
});

describe('CFG-4: Gemini models', () => {
  it('CFG-4: are listed and found', async () => {
    const client = new GoogleGenAI({
      apiKey: demo.token,
      apiVersion: 'v1beta',
      httpOptions: { baseUrl: demo.baseUrl },
    });
    const names: (string | undefined)[] = [];
    for await (const { name } of await client.models.list()) names.push(name);
    expect(names).toEqual(['models/echo', 'models/story', 'models/tool', 'models/embed']);
    expect((await client.models.get({ model: 'echo' })).inputTokenLimit).toBe(1_000_000);
  });
});
