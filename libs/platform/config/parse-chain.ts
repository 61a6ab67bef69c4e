import { checkChain, type ChainSurroundings } from './check-chains.js';
import { chainSchema, compileChainSettings, type ChainConfig } from './chain-schema.js';
import { dotted, type Path } from './findings.js';
import { pathOf, valueAt, wordingOf } from './shape.js';

export type ParsedChain =
  | { readonly ok: true; readonly chain: ChainConfig }
  | { readonly ok: false; readonly faults: readonly { readonly path: string; readonly message: string }[] };

/**
 * A chain from a body of the admin API, judged by the rules of the file (CFG-5). All faults are reported at once, each with
 * the path of its field; texts never quote values.
 */
export function parseChain(name: string, written: unknown, around: ChainSurroundings): ParsedChain {
  const faults = new Map<string, string>();
  const fault = (path: Path, message: string): void => {
    const at = dotted(path);
    if (!faults.has(at)) faults.set(at, message);
  };
  const result = chainSchema.safeParse(written);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const path = pathOf(issue);
      if (issue.code === 'unrecognized_keys')
        for (const key of issue.keys) fault([...path, key], 'is not a known field');
      else fault(path, wordingOf(issue, valueAt(written, path)));
    }
  }
  checkChain(name, written, around, fault);
  if (result.success && faults.size === 0) {
    return { ok: true, chain: { name, ...compileChainSettings(result.data) } };
  }
  return { ok: false, faults: [...faults].map(([path, message]) => ({ path, message })) };
}
