import type { MatchRule } from './table-data.js';

/** Decides whether a lower-case model name falls under a rule. */
export type Matcher = (name: string) => boolean;

/** Precompiles a rule of the price data. Everything but `regex` ignores case. */
export function compileMatch(rule: MatchRule): Matcher {
  if ('or' in rule) {
    const parts = rule.or.map(compileMatch);
    return (name) => parts.some((part) => part(name));
  }
  if ('and' in rule) {
    const parts = rule.and.map(compileMatch);
    return (name) => parts.every((part) => part(name));
  }
  if ('regex' in rule) {
    const pattern = new RegExp(rule.regex);
    return (name) => pattern.test(name);
  }
  if ('equals' in rule) return compileText(rule.equals, (name, text) => name === text);
  if ('starts_with' in rule) return compileText(rule.starts_with, (name, text) => name.startsWith(text));
  if ('ends_with' in rule) return compileText(rule.ends_with, (name, text) => name.endsWith(text));
  return compileText(rule.contains, (name, text) => name.includes(text));
}

function compileText(text: string, test: (name: string, text: string) => boolean): Matcher {
  const lower = text.toLowerCase();
  return (name) => test(name, lower);
}

/** The names a rule accepts by `equals` alone or as one branch of an `or`, in lower case: the index for exact look-ups. */
export function exactNames(rule: MatchRule): readonly string[] {
  if ('equals' in rule) return [rule.equals.toLowerCase()];
  if ('or' in rule) return rule.or.flatMap(exactNames);
  return [];
}

const COMPACT_DATE = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g;

/** `gpt-5.5-20260401` → `gpt-5.5-2026-04-01`: the second spelling to try for a name that no rule knows. */
export function withDashedDates(name: string): string {
  return name.replace(COMPACT_DATE, '-$1-$2-$3');
}
