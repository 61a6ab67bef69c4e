import { usdToNanos } from '../money.js';
import type { Findings, Path } from './findings.js';
import { doubledBudget, isTimeZone } from './governance.js';
import { didYouMean } from './suggest.js';
import { entriesOf, field, listOf, textOf } from './untyped.js';

/** Sections of the file whose entries keys can belong to, by the field of a key that names one. */
const OWNERS = { team: 'teams', user: 'users', app: 'apps' } as const;

/** Everything about the organisation, teams, users, apps and tags, and who names them, that the schema cannot see. */
export function checkOwners(file: unknown, findings: Findings): void {
  const org = field(file, 'org');
  checkBudgets(org, ['org'], findings);
  checkZone(org, ['org'], findings);
  for (const section of ['teams', 'users', 'apps', 'tags']) {
    for (const [name, owner] of entriesOf(file, section)) {
      checkBudgets(owner, [section, name], findings);
      const models = field(owner, 'models');
      if (Array.isArray(models) && models.length === 0) {
        findings.fault([section, name, 'models'], 'is an empty list: leave it out to allow all, or name some');
      }
    }
  }
  for (const [index, key] of listOf(file, 'keys').entries()) checkNamed(file, key, ['keys', index], findings);
}

/** A key may name what is made by the API, which no file can see. */
function checkNamed(file: unknown, key: unknown, path: Path, findings: Findings): void {
  for (const [name, section] of Object.entries(OWNERS)) {
    const owner = textOf(key, name);
    const known = entriesOf(file, section).map(([declared]) => declared);
    if (owner === undefined || known.includes(owner)) continue;
    findings.warning(
      [...path, name],
      `a key names ${name === 'app' ? 'an' : 'a'} ${name} that this file does not declare${didYouMean(owner, known)}: without one made by the API nobody’s budgets and limits count for it`,
    );
  }
}

/** The budgets of a key or an owner. */
export function checkBudgets(owner: unknown, path: Path, findings: Findings): void {
  const budgets = listOf(owner, 'budgets');
  for (const [index, budget] of budgets.entries()) {
    const at: Path = [...path, 'budgets', index];
    checkZone(budget, at, findings);
    const limit = field(budget, 'limit_usd');
    if (typeof limit === 'number' && usdToNanos(limit) === null) {
      findings.fault([...at, 'limit_usd'], 'must be an amount from 0.000000001 to 9000000 with at most nine decimals');
    }
  }
  const doubled = doubledBudget(
    budgets.map((budget) => ({ period: field(budget, 'period'), mode: field(budget, 'mode') })),
  );
  if (doubled !== -1 && field(budgets[doubled], 'period') !== undefined) {
    findings.fault(
      [...path, 'budgets', doubled, 'period'],
      'stands there twice: one budget per period, and one soft one',
    );
  }
}

function checkZone(holder: unknown, path: Path, findings: Findings): void {
  const zone = textOf(holder, 'time_zone');
  if (zone === undefined || isTimeZone(zone)) return;
  const near = didYouMean(zone, Intl.supportedValuesOf('timeZone'));
  findings.fault([...path, 'time_zone'], `is no time zone such as Europe/Berlin${near}`);
}
