/** How an answer misbehaves after its first `BREAK_AFTER_CHUNKS` pieces of content. */
export type BreakOff = 'stall' | 'cut' | 'cut-clean';

/** What a model name asks for. Exactly one of the kinds of answer, with the faults that may come on top. */
export interface DemoBehaviour {
  readonly answer: 'echo' | 'story' | 'tool';
  /** Pieces of a story. */
  readonly storyChunks: number;
  /** Tool model: several calls at once. */
  readonly parallelTools: boolean;
  /** Characters in one piece of a stream. */
  readonly pieceChars: number;
  /** Before the first byte. */
  readonly delayMs: number;
  /** Between two pieces of content. */
  readonly paceMs: number;
  readonly breakOff: BreakOff | null;
  /** In place of an answer. */
  readonly instead: 'html' | 'reset' | { readonly errorStatus: number } | null;
}

/** Pieces of content that a breaking stream still delivers. */
export const BREAK_AFTER_CHUNKS = 3;
export const MAX_STORY_CHUNKS = 10_000;
/** The longest pause a model name can ask for. */
export const MAX_PAUSE_MS = 600_000;
const DEFAULT_STORY_CHUNKS = 200;
const STORY_PACE_MS = 10;
export const PLAIN_PIECE_CHARS = 16;
const DRIP_PIECE_CHARS = 4;

/** Models shown in lists; the faults are known by name only. */
export const LISTED_MODELS: readonly string[] = ['echo', 'story', 'tool', 'embed'];

const PLAIN: DemoBehaviour = {
  answer: 'echo',
  storyChunks: DEFAULT_STORY_CHUNKS,
  parallelTools: false,
  pieceChars: PLAIN_PIECE_CHARS,
  delayMs: 0,
  paceMs: 0,
  breakOff: null,
  instead: null,
};

const NAMED: Readonly<Record<string, DemoBehaviour>> = {
  echo: PLAIN,
  embed: PLAIN,
  story: { ...PLAIN, answer: 'story', paceMs: STORY_PACE_MS },
  tool: { ...PLAIN, answer: 'tool' },
  'tool-parallel': { ...PLAIN, answer: 'tool', parallelTools: true },
  stall: { ...PLAIN, answer: 'story', storyChunks: 8, breakOff: 'stall' },
  cut: { ...PLAIN, answer: 'story', storyChunks: 8, breakOff: 'cut' },
  'cut-clean': { ...PLAIN, answer: 'story', storyChunks: 8, breakOff: 'cut-clean' },
  html: { ...PLAIN, instead: 'html' },
  reset: { ...PLAIN, instead: 'reset' },
};

const NUMBERED: Readonly<Record<string, (value: number) => DemoBehaviour | null>> = {
  error: (status) => (status >= 400 && status <= 599 ? { ...PLAIN, instead: { errorStatus: status } } : null),
  slow: (delayMs) => (delayMs <= MAX_PAUSE_MS ? { ...PLAIN, delayMs } : null),
  drip: (paceMs) => (paceMs <= MAX_PAUSE_MS ? { ...PLAIN, paceMs, pieceChars: DRIP_PIECE_CHARS } : null),
  story: (chunks) =>
    chunks >= 1 && chunks <= MAX_STORY_CHUNKS
      ? { ...PLAIN, answer: 'story', paceMs: STORY_PACE_MS, storyChunks: chunks }
      : null,
};

/** What the model of this name does, or `null` when there is no such model. */
export function behaviourOf(model: string): DemoBehaviour | null {
  if (Object.hasOwn(NAMED, model)) return NAMED[model] ?? null;
  const [, kind = '', value] = /^([a-z]+)-(\d{1,6})$/.exec(model) ?? [];
  return Object.hasOwn(NUMBERED, kind) ? (NUMBERED[kind]?.(Number(value)) ?? null) : null;
}
