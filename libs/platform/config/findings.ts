import type { ConfigFault } from './config.js';

/** Where a value stands: names of mappings and indexes of lists. */
export type Path = readonly (string | number)[];

/** `providers.openai.base_url`, `keys[0].name`, `models["gpt-5.1"].target`. */
export function dotted(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

const MOST_FAULTS = 500;

/**
 * Collects what is wrong or worth saying, so that all of it is reported at once. A place that already has a fault gets no
 * second one: an unset variable is reported as such and not as a malformed URL too. Texts never quote values, since
 * any value may be a secret in the wrong place.
 */
export class Findings {
  readonly #faults = new Map<string, ConfigFault>();
  readonly #warnings = new Map<string, ConfigFault>();
  readonly #lineOf: (path: Path) => number | null;

  constructor(lineOf: (path: Path) => number | null = () => null) {
    this.#lineOf = lineOf;
  }

  fault(path: Path, message: string, line: number | null = this.#lineOf(path)): void {
    const at = dotted(path);
    if (this.#faults.has(at) || this.#faults.size >= MOST_FAULTS) return;
    this.#faults.set(at, { path: at, line, message });
  }

  /** A sentence said once, at the first line it applies to. */
  warning(path: Path, message: string, line: number | null = this.#lineOf(path)): void {
    const before = this.#warnings.get(message);
    if (before === undefined ? this.#warnings.size >= MOST_FAULTS : (before.line ?? 0) <= (line ?? 0)) return;
    this.#warnings.set(message, { path: dotted(path), line, message });
  }

  get faults(): readonly ConfigFault[] {
    return inOrder(this.#faults);
  }

  get warnings(): readonly ConfigFault[] {
    return inOrder(this.#warnings);
  }
}

/** By line; what has no line (the environment, the file as a whole) comes first. */
function inOrder(findings: ReadonlyMap<string, ConfigFault>): readonly ConfigFault[] {
  return [...findings.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
