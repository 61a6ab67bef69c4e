/** What a person needs to know once everything serves. */
export interface BannerFacts {
  readonly version: string;
  readonly url: string;
  readonly consoleUrl: string;
  readonly adminLink: string;
  readonly key: string;
  readonly stores: readonly string[];
  readonly dataDir: string;
  readonly configFile: string | null;
}

/** The text printed once, when everything serves: where it is, how to get in, and a first call to paste. */
export function banner(facts: BannerFacts): string {
  const body = `{"model":"demo/echo","messages":[{"role":"user","content":"Hello"}]}`;
  const rows: [string, string][] = [
    ['Console, API', facts.consoleUrl],
    ['Sign in once', facts.adminLink],
    ['First key', facts.key],
    ...facts.stores.map((line, index): [string, string] => [index === 0 ? 'Stores' : '', line]),
    ['Data', facts.dataDir],
    ['Configuration', facts.configFile ?? 'none (all defaults); write smartflow.yaml to change them'],
  ];
  return [
    '',
    `Smartflow ${facts.version} serves on ${facts.url}`,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`),
    '',
    'A first call (no provider key needed):',
    '',
    `curl ${facts.url}/v1/chat/completions -H 'Authorization: Bearer ${facts.key}' -H 'Content-Type: application/json' -d '${body}'`,
    '',
    'Stop with Ctrl-C.',
    '',
  ].join('\n');
}
