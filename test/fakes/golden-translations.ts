import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { translatorFor, type Translation } from '#libs/dialects/index.js';

/** Reads the golden files of `libs/dialects/translation/` for its specs: a case is one input and what each other surface makes of it. */

const FOLDER = join(import.meta.dirname, '../../libs/dialects/translation/golden');

export const SURFACES = ['openai/chat', 'openai/responses', 'anthropic/messages', 'gemini/generate'] as const;
export type SurfaceName = (typeof SURFACES)[number];

type Json = Record<string, unknown>;

/** A case: what goes in, and what comes out at each of the other surfaces. */
export interface GoldenCase {
  readonly name: string;
  readonly in: unknown;
  readonly out: Readonly<Partial<Record<SurfaceName, unknown>>>;
  readonly model?: Readonly<Partial<Record<SurfaceName, string>>>;
  readonly maxOutputTokens?: number;
  readonly status?: number;
}

export function golden(surface: SurfaceName, kind: 'requests' | 'answers' | 'streams' | 'errors'): GoldenCase[] {
  const file = join(FOLDER, `${surface.replace('/', '-')}.${kind}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as GoldenCase[];
}

const MODELS: Readonly<Record<SurfaceName, string>> = {
  'openai/chat': 'gpt-5.5',
  'openai/responses': 'gpt-5.5',
  'anthropic/messages': 'claude-sonnet-5',
  'gemini/generate': 'gemini-3.1-pro',
};

/** The smallest request of each surface, for cases that are about answers. */
const ASKED: Readonly<Record<SurfaceName, Json>> = {
  'openai/chat': {
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
    stream_options: { include_usage: true },
  },
  'openai/responses': { model: 'm', input: 'hi' },
  'anthropic/messages': { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
  'gemini/generate': { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
};

interface Asked {
  readonly body?: unknown;
  readonly model?: string;
  readonly maxOutputTokens?: number;
  readonly asJsonArray?: boolean;
}

/** A translated call; without a body the smallest one. @throws AppError as the translator does */
export function translation(caller: SurfaceName, provider: SurfaceName, asked: Asked = {}): Translation {
  const [from, to] = [caller, provider].map((name) => {
    const [dialect, operation] = name.split('/');
    return { dialect, operation } as Parameters<typeof translatorFor>[0];
  });
  const translator = translatorFor(from as never, to as never);
  if (translator === null) throw new Error(`no translator from ${caller} to ${provider}`);
  const body = asked.body ?? ASKED[caller];
  return translator.request(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    model: asked.model ?? MODELS[provider],
    requestId: 'r1',
    createdAtSeconds: 1_794_225_600,
    maxOutputTokens: asked.maxOutputTokens ?? null,
    asJsonArray: asked.asJsonArray ?? false,
  });
}

/** Events as the provider of a surface puts them on the wire. */
export function encode(surface: SurfaceName, events: readonly unknown[]): Buffer {
  const end = surface === 'gemini/generate' ? '\r\n\r\n' : '\n\n';
  const isNamed = surface === 'anthropic/messages' || surface === 'openai/responses';
  const frames = events.map((event) => {
    if (typeof event === 'string') return `data: ${event}${end}`;
    const name = isNamed ? `event: ${String((event as Json).type)}\n` : '';
    return `${name}data: ${JSON.stringify(event)}${end}`;
  });
  return Buffer.from(frames.join(''));
}

/** The events of a written stream; an event whose name differs from its type is a fault. */
export function decode(bytes: Buffer): unknown[] {
  return bytes
    .toString()
    .split(/\r?\n\r?\n/)
    .filter((frame) => frame !== '')
    .map((frame) => {
      const lines = frame.split(/\r?\n/);
      const data = lines.find((line) => line.startsWith('data: '))?.slice('data: '.length) ?? '';
      if (data === '[DONE]') return data;
      const event = JSON.parse(data) as Json;
      const name = lines.find((line) => line.startsWith('event: '))?.slice('event: '.length);
      if (name !== undefined && name !== event.type) throw new Error(`event ${name} has type ${String(event.type)}`);
      return event;
    });
}
