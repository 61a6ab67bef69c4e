import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ConfigFault, SmartflowConfig } from './config.js';
import { loadConfig } from './load.js';
import { type ConfigWatch, watchConfig, type WatchOptions } from './watch.js';

let cwd: string;
let file: string;
let watching: ConfigWatch | null = null;
let changes: SmartflowConfig[];
let refusals: (readonly ConfigFault[])[];

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sf-watch-'));
  file = join(cwd, 'smartflow.yaml');
  changes = [];
  refusals = [];
});
afterEach(() => {
  watching?.stop();
  watching = null;
  rmSync(cwd, { recursive: true, force: true });
});

const withKey = (name: string): string => `keys: [{ name: ${name} }]\n`;
const keyOf = (config: SmartflowConfig | undefined): string | undefined => config?.live.keys[0]?.name;

function follow(
  options: WatchOptions = {},
  onChange: (config: SmartflowConfig) => void | Promise<void> = () => {},
): void {
  watching = watchConfig(
    file,
    {
      onChange: async (config) => {
        await onChange(config);
        changes.push(config);
      },
      onRefused: (faults) => refusals.push(faults),
    },
    { env: {}, cwd, pollMs: 50, settleMs: 40, ...options },
  );
}

/** Waits until the condition holds, at most `limitMs`. */
async function until(condition: () => boolean, limitMs = 4000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('did not happen in time');
    await wait(10);
  }
}
const quiet = (): Promise<void> => wait(400);

describe('a changed file is applied', () => {
  it('when it was edited in place, with the timing of the product within about a second', async () => {
    writeFileSync(file, withKey('a'));
    follow({ pollMs: 400, settleMs: 200 });
    await wait(50);
    const before = performance.now();
    writeFileSync(file, withKey('b'));
    await until(() => changes.length === 1);
    expect(performance.now() - before).toBeLessThan(2500); // a busy machine; 0.3 s on an idle one
    expect(keyOf(changes[0])).toBe('b');
  });

  it('when a new file was moved into its place', async () => {
    writeFileSync(file, withKey('a'));
    follow();
    for (const name of ['b', 'c', 'd']) {
      writeFileSync(`${file}.new`, withKey(name));
      renameSync(`${file}.new`, file);
      await until(() => keyOf(changes.at(-1)) === name);
    }
    expect(changes).toHaveLength(3);
  });

  it('when the link above it was swapped, as Kubernetes does with mounted maps', async () => {
    // smartflow.yaml -> ..data/smartflow.yaml, ..data -> a dated folder
    for (const version of ['1', '2']) {
      mkdirSync(join(cwd, `..v${version}`));
      writeFileSync(join(cwd, `..v${version}`, 'smartflow.yaml'), withKey(`v${version}`));
    }
    symlinkSync('..v1', join(cwd, '..data'));
    symlinkSync('..data/smartflow.yaml', file);
    follow();
    symlinkSync('..v2', join(cwd, '..tmp'));
    renameSync(join(cwd, '..tmp'), join(cwd, '..data'));
    await until(() => keyOf(changes.at(-1)) === 'v2');
  });

  it('when its size and time are the same as before', async () => {
    writeFileSync(file, withKey('a'));
    utimesSync(file, 1000, 1000);
    follow();
    writeFileSync(file, withKey('b'));
    utimesSync(file, 1000, 1000);
    await until(() => keyOf(changes.at(-1)) === 'b');
  });

  it('when only the file behind a …_FILE variable changed', async () => {
    writeFileSync(file, 'providers: { a: { type: openai, api_key: "${K}" } }');
    writeFileSync(join(cwd, 'k'), 'first');
    follow({ env: { K_FILE: 'k' } });
    writeFileSync(join(cwd, 'k'), 'second');
    await until(() => changes.length === 1);
    expect(changes[0]?.live.providers[0]?.apiKey?.reveal()).toBe('second');
  });

  it('when it changed between the start of the process and the start of watching', async () => {
    writeFileSync(file, withKey('a'));
    const started = loadConfig({ file, env: {}, cwd });
    writeFileSync(file, withKey('b'));
    follow({ current: started.ok ? started.config : (undefined as never) });
    await until(() => keyOf(changes[0]) === 'b');
  });

  it('once for each change, and not at all when nothing changed', async () => {
    writeFileSync(file, withKey('a'));
    follow();
    await quiet();
    expect(changes).toHaveLength(0);
    writeFileSync(file, withKey('b'));
    await until(() => changes.length === 1);
    await quiet();
    expect(changes).toHaveLength(1);
    utimesSync(file, 1000, 1000);
    writeFileSync(file, `# a comment\n${withKey('b')}`);
    await quiet();
    expect(changes).toHaveLength(1);
  });

  it('when a …_FILE variable is used for the first time, and follows its file from then on', async () => {
    writeFileSync(join(cwd, 'k'), 'first');
    writeFileSync(file, withKey('a'));
    follow({ env: { K_FILE: 'k' } });
    writeFileSync(file, 'providers: { a: { type: openai, api_key: "${K}" } }');
    await until(() => changes.length === 1);
    writeFileSync(join(cwd, 'k'), 'second');
    await until(() => changes.at(-1)?.live.providers[0]?.apiKey?.reveal() === 'second');
  });
});

it('LLM-5: a deployment that is added to a provider is applied', async () => {
  const azure = (names: string): string =>
    `providers: { a: { type: azure-openai, base_url: "https://a.example", api_key: secret, deployments: ${names} } }`;
  writeFileSync(file, azure('{ x: one }'));
  follow();
  writeFileSync(file, azure('{ x: one, y: two }'));
  await until(() => changes.length === 1);
});

describe('a changed boot setting', () => {
  it('stays as it was and is reported to need a restart, while live settings are applied', async () => {
    writeFileSync(file, `listen: ":1000"\nlog: { level: info }\nstores: { redis: "redis://a" }\n${withKey('a')}`);
    follow();
    writeFileSync(file, `listen: ":2000"\nlog: { level: debug }\nstores: { redis: "redis://b" }\n${withKey('b')}`);
    await until(() => changes.length === 1);
    const [config] = changes;
    expect(keyOf(config)).toBe('b');
    expect(config?.boot).toMatchObject({ listen: { port: 1000 }, logLevel: 'info' });
    const restart = config?.warnings.filter((warning) => warning.message.includes('needs a restart'));
    expect(restart?.map((warning) => warning.path)).toEqual(['listen', 'stores', 'log.level']);
  });

  it('is not what the command line said: a ready file is of no concern to the file', async () => {
    writeFileSync(file, withKey('a'));
    const loaded = loadConfig({ file, env: {}, cwd });
    if (!loaded.ok) throw new Error('the file is refused');
    const { config } = loaded;
    follow({ current: { ...config, boot: { ...config.boot, readyFile: 'ready.json' } } });
    writeFileSync(file, withKey('b'));
    await until(() => changes.length > 0);
    expect(changes.map(keyOf)).toEqual(['b']);
    expect(changes[0]?.warnings).toEqual([]);
  });

  it('is no longer reported when it is changed back', async () => {
    writeFileSync(file, 'listen: ":1000"');
    follow();
    writeFileSync(file, 'listen: ":2000"');
    await until(() => changes.length === 1);
    writeFileSync(file, 'listen: ":1000"');
    await until(() => changes.length === 2);
    expect(changes[1]?.warnings).toEqual([]);
  });
});

describe('a file that is wrong', () => {
  it('is refused as a whole, once, and the next right one is applied', async () => {
    writeFileSync(file, withKey('a'));
    follow();
    writeFileSync(file, `${withKey('b')}nonsense: 1\n`);
    await until(() => refusals.length === 1);
    await quiet();
    expect(refusals).toEqual([[{ path: 'nonsense', line: 2, message: 'unknown setting' }]]);
    expect(changes).toHaveLength(0);
    writeFileSync(file, withKey('c'));
    await until(() => keyOf(changes[0]) === 'c');
  });

  it('is not applied while it is being written, even where the half is valid', async () => {
    writeFileSync(file, withKey('a'));
    follow({ settleMs: 500 });
    const handle = openSync(file, 'w');
    for (const line of ['keys:\n', '  - { name: b }\n', '  - { name: c }\n', '  - { name: d }\n']) {
      writeSync(handle, line);
      await wait(50);
    }
    closeSync(handle);
    await until(() => changes.length > 0);
    await quiet();
    expect(changes.map((config) => config.live.keys.length)).toEqual([3]);
    expect(refusals).toEqual([]);
  });

  it.each([
    ['empty', (path: string) => writeFileSync(path, '')],
    ['gone', (path: string) => unlinkSync(path)],
    ['not UTF-8', (path: string) => writeFileSync(path, Buffer.from([0xff]))],
  ])('is refused when it is %s, and what ran before goes on', async (_, spoil) => {
    writeFileSync(file, withKey('a'));
    follow();
    spoil(file);
    await until(() => refusals.length === 1);
    expect(changes).toHaveLength(0);
    writeFileSync(file, withKey('b'));
    await until(() => keyOf(changes[0]) === 'b');
    expect(refusals).toHaveLength(1);
  });

  it('is refused when the process cannot apply it, without ending the watch', async () => {
    writeFileSync(file, withKey('a'));
    follow({}, (config) => {
      if (keyOf(config) === 'b') throw new Error('no');
    });
    writeFileSync(file, withKey('b'));
    await until(() => refusals.length === 1);
    expect(refusals[0]).toEqual([{ path: '', line: null, message: 'the changed file could not be applied: no' }]);
    writeFileSync(file, withKey('c'));
    await until(() => keyOf(changes[0]) === 'c');
  });
});

it('changes that arrive while one is being applied are applied after it, not beside it', async () => {
  writeFileSync(file, withKey('a'));
  let running = 0;
  let most = 0;
  follow({}, async () => {
    most = Math.max(most, ++running);
    await wait(150);
    running--;
  });
  writeFileSync(file, withKey('b'));
  await until(() => running === 1);
  writeFileSync(file, withKey('c'));
  await until(() => keyOf(changes.at(-1)) === 'c');
  expect(most).toBe(1);
});

it('after stop nothing is called any more', async () => {
  writeFileSync(file, withKey('a'));
  follow();
  writeFileSync(file, withKey('b'));
  watching?.stop();
  await quiet();
  expect(changes).toEqual([]);
});
