import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml';
import type { Variables } from './environment.js';
import { fillIn } from './fill-in.js';
import { Findings, type Path } from './findings.js';

/** A YAML file as plain values, with the memory of where each stands. */
export interface Source {
  /** `{}` for an empty file. */
  readonly value: unknown;
  readonly findings: Findings;
  /** True when the value at `path` was one `${…}` as a whole and so may become a number or a boolean. */
  wasFilled(path: Path): boolean;
}

const MAX_DEPTH = 32;
const MAX_VALUES = 200_000;
const MAX_ALIASES = 100;

interface Place {
  readonly line: number;
  readonly filled: boolean;
}

/**
 * Parses YAML 1.2 and fills variables in. Everything wrong goes into `findings`; with a syntax fault `value` is `{}`.
 * Bounds: 32 levels, 200,000 values, 100 aliases (an alias repeats what it names, so few of them can stand for billions).
 */
export function parseSource(text: string, variables: Variables): Source {
  const lines = new LineCounter();
  // Duplicates are found below: the library's own search compares every key with every other.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const places = new Map<string, Place>();
  const lineOf = (path: Path): number | null => {
    for (let length = path.length; length > 0; length--) {
      const place = places.get(placeKey(path.slice(0, length)));
      if (place !== undefined) return place.line;
    }
    return null;
  };
  const findings = new Findings(lineOf);
  const done = (value: unknown): Source => ({
    value,
    findings,
    wasFilled: (path) => places.get(placeKey(path))?.filled ?? false,
  });

  for (const error of document.errors) {
    // One fault per file for syntax: what follows the first is mostly its echo.
    findings.fault([], syntaxText(error.code, error.message), lines.linePos(error.pos[0]).line);
  }
  for (const warning of document.warnings) {
    findings.fault([], `${warning.message}: tags are not understood`, lines.linePos(warning.pos[0]).line);
  }
  if (findings.faults.length > 0) return done({});
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return done({});
  const reader = new Reader(document, lines, places, findings, variables);
  const value = reader.read(document.contents, [], null);
  return done(findings.faults.some((fault) => fault.path === '') ? {} : value);
}

class Reader {
  readonly #open = new Set<Node>();
  #values = 0;
  #aliases = 0;
  #overflowed = false;

  constructor(
    private readonly document: Document,
    private readonly lines: LineCounter,
    private readonly places: Map<string, Place>,
    private readonly findings: Findings,
    private readonly variables: Variables,
  ) {}

  /** @param keyLine line of the key in front of the value, where messages point to. */
  read(written: Node | null, path: Path, keyLine: number | null): unknown {
    const line = keyLine ?? this.#line(written);
    if (!this.#countsIn(path, line)) return null;
    let node = written;
    if (isAlias(written)) {
      node = this.#resolve(written, line);
      if (node === null) return null;
    }
    this.places.set(placeKey(path), { line, filled: false });
    if (node === null) return null;
    if (isScalar(node)) return this.#scalar(node, path, line);
    if (this.#open.has(node)) {
      this.findings.fault([], 'an alias names something it is itself part of', line);
      return null;
    }
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node.items, path) : isSeq(node) ? this.#list(node.items, path) : null;
    this.#open.delete(node);
    return value;
  }

  #map(items: readonly { key: unknown; value: unknown }[], path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const seen = new Map<string, number>();
    for (const { key, value } of items) {
      const line = this.#line(key as Node | null);
      if (!isScalar(key) || key.value === null || key.value === '__proto__') {
        this.findings.fault(path, 'has a key that is no plain name', line);
        continue;
      }
      const name = String(key.value);
      const inner = [...path, name];
      const before = seen.get(name);
      if (before !== undefined) {
        this.findings.fault(inner, `is written twice, the first time on line ${before}`, line);
        continue;
      }
      seen.set(name, line);
      result[name] = this.read(value as Node | null, inner, line);
    }
    return result;
  }

  #list(items: readonly unknown[], path: Path): unknown[] {
    return items.map((item, index) => this.read(item as Node | null, [...path, index], null));
  }

  #scalar(node: Scalar, path: Path, line: number): unknown {
    if (typeof node.value !== 'string') return node.value;
    const filled = fillIn(node.value, this.variables);
    for (const problem of filled.problems) this.findings.fault(path, problem, line);
    if (filled.whole) this.places.set(placeKey(path), { line, filled: true });
    return filled.text;
  }

  #resolve(alias: { resolve(document: Document): Node | undefined; source: string }, line: number): Node | null {
    const target = alias.resolve(this.document);
    if (target === undefined) {
      this.findings.fault([], `*${alias.source} names no anchor above it`, line);
      return null;
    }
    if (++this.#aliases > MAX_ALIASES) this.#overflow(`more than ${MAX_ALIASES} aliases`, line);
    return this.#overflowed ? null : target;
  }

  #countsIn(path: Path, line: number): boolean {
    if (path.length > MAX_DEPTH) this.#overflow(`more than ${MAX_DEPTH} levels`, line);
    if (++this.#values > MAX_VALUES) this.#overflow(`more than ${MAX_VALUES} values`, line);
    return !this.#overflowed;
  }

  #overflow(what: string, line: number): void {
    this.#overflowed = true;
    this.findings.fault([], `the file has ${what}`, line);
  }

  #line(node: Node | null): number {
    const offset = node?.range?.[0];
    return offset === undefined ? 1 : this.lines.linePos(offset).line;
  }
}

function placeKey(path: Path): string {
  return path.join('\0');
}

/** The parser's text in the words of someone who edits the file, without the piece of the file it may quote. */
function syntaxText(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'tabs cannot indent YAML; use spaces';
    case 'MULTIPLE_DOCS':
      return 'the file has more than one YAML document ("---"); write one';
    case 'RESOURCE_EXHAUSTION':
      return 'the file is nested too deeply';
    case 'UNEXPECTED_TOKEN':
      return 'unexpected text here; a value with ${…}, { or } inside { … } or [ … ] must stand in quotes';
    default:
      return `not valid YAML: ${message.replace(/:? ".*$/s, '')}`;
  }
}
