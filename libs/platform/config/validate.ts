import type { ConfigFault } from './config.js';
import type { LoadResult } from './load.js';

/**
 * What `smartflow validate` prints: a line `file:line: path: message` for each fault and warning and a summary, ending in
 * a line break. Findings of the environment have its name in place of the file's.
 *
 * @param fileName how the file is called in the text, as the user wrote it; default its absolute path.
 */
export function renderReport(result: LoadResult, fileName?: string): string {
  const found = result.ok ? result.config : result;
  const file = fileName ?? found.file;
  const faults = result.ok ? [] : result.faults;
  const lines = [
    ...faults.map((fault) => renderFinding(fault, file, 'error')),
    ...found.warnings.map((warning) => renderFinding(warning, file, 'warning')),
  ];
  if (lines.length > 0) lines.push('');
  lines.push(summary(result, file, faults.length, found.warnings.length));
  return `${lines.join('\n')}\n`;
}

function renderFinding(finding: ConfigFault, file: string | null, kind: 'error' | 'warning'): string {
  const fromEnvironment = finding.line === null && /^[A-Z][A-Z0-9_]*$/.test(finding.path);
  const name = fromEnvironment ? 'environment' : (file ?? 'no file');
  const place = finding.line === null ? name : `${name}:${finding.line}`;
  const path = finding.path === '' ? '' : `${finding.path}: `;
  return `${place}: ${kind}: ${path}${visible(finding.message)}`;
}

function summary(result: LoadResult, file: string | null, faults: number, warnings: number): string {
  const also = warnings === 0 ? '' : `, ${counted(warnings, 'warning')}`;
  if (!result.ok) return `${counted(faults, 'error')}${also}: the configuration cannot be used.`;
  const { providers, models, keys } = result.config.live;
  const has = [counted(providers.length, 'provider'), counted(models.length, 'model'), counted(keys.length, 'key')];
  return `${file ?? 'No file; defaults'}: valid (${has.join(', ')}${also}).`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Names in a file may hold control characters, which have no business on a terminal. */
function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
