import { readFileSync } from 'node:fs';
import path from 'node:path';
import { FAILURE_CLASSES } from '#libs/platform/config.js';
import { actionTable, ERROR_MATRIX } from './error-matrix.js';

describe('error matrix', () => {
  it('RTE-2: docs/routing.md shows the matrix as it is', () => {
    const page = readFileSync(path.join(import.meta.dirname, '../../docs/routing.md'), 'utf8');
    const shown = page.split('\n').filter((line) => /^\| `[a-z_]+` \|.*\| (retry|next|larger|give) \|/.test(line));
    expect(shown).toEqual(
      FAILURE_CLASSES.map((name) => {
        const { met, action, blame } = ERROR_MATRIX[name];
        return `| \`${name}\` | ${met} | ${action} | ${blame} |`;
      }),
    );
  });

  it('RTE-2: a chain overrides actions; what comes after content is decided apart, and two classes by nobody', () => {
    const table = actionTable({ auth: 'give', caller_left: 'next', late_cut: 'retry' }, 'next');
    expect(table).toMatchObject({ auth: 'give', rate_limit: 'retry', late_cut: 'next', late_stall: 'next' });
    expect([table.caller_left, table.own_refusal]).toEqual(['give', 'give']);
  });
});
