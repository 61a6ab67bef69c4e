import type { Variables } from './environment.js';

export interface Filled {
  readonly text: string;
  /** The whole text was one `${…}`: numbers and booleans may come from it. */
  readonly whole: boolean;
  readonly problems: readonly string[];
}

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/**
 * Fills `${VAR}` and `${VAR:-default}` in; `$${` stands for a literal `${`. As in a shell the default also counts when
 * the variable is empty. What is filled in is not looked at again, and nothing else of the shell's notation is known.
 * With problems the text keeps the placeholder.
 */
export function fillIn(text: string, variables: Variables): Filled {
  if (!text.includes('${')) return { text, whole: false, problems: [] };
  const problems: string[] = [];
  const filled = text.replace(PLACEHOLDER, (placeholder: string, inside: string | undefined, end: string) => {
    if (inside === undefined) return '${';
    const match = end === '}' && !inside.includes('${') ? INSIDE.exec(inside) : null;
    if (match === null) {
      problems.push('has a malformed ${…}: write ${NAME} or ${NAME:-default}, and $${ for a literal ${');
      return placeholder;
    }
    const value = valueOf(match[1] as string, match[2], variables);
    if ('problem' in value) {
      problems.push(value.problem);
      return placeholder;
    }
    return value.text;
  });
  return { text: filled, whole: /^\$\{[^}]*\}$/.test(text), problems };
}

function valueOf(
  name: string,
  fallback: string | undefined,
  variables: Variables,
): { readonly text: string } | { readonly problem: string } {
  const read = variables.read(name);
  if (read.found && (read.value !== '' || fallback === undefined)) return { text: read.value };
  if (!read.found && read.problem !== null) return { problem: read.problem };
  if (fallback !== undefined) return { text: fallback };
  return {
    problem: `the variable ${name} is not set: set it (or ${name}_FILE), or write \${${name}:-} where it may be absent`,
  };
}
