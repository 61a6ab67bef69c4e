import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Secret } from '#libs/platform/secret.js';
import { pack, unpack, type Boot } from './messages.js';
import { ChildFailed, SupervisedChild, type ChildOptions } from './supervised-child.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sf-child-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A child whose behaviour is the body of a function of its boot message. */
function script(name: string, body: string): string {
  const file = path.join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if (message.type === 'stop') return process.exit(0);
  const { boot } = message;
  ${body}
});`,
  );
  return file;
}

const bootOf = (settings: object): Boot => settings as unknown as Boot;

interface Rig {
  readonly child: SupervisedChild;
  readonly lines: string[];
  readonly pids: number[];
  readonly givenUp: Promise<ChildFailed>;
}

function rig(options: Partial<ChildOptions>): Rig {
  const lines: string[] = [];
  const pids: number[] = [];
  let give: (failure: ChildFailed) => void = () => {};
  const givenUp = new Promise<ChildFailed>((resolve) => (give = resolve));
  const hooks = {
    log: (_level: string, text: string) => void lines.push(text),
    onSpawn: (pid: number) => void pids.push(pid),
    onGiveUp: give,
  };
  return {
    child: new SupervisedChild('gateway', hooks, { firstPauseMs: 5, longestPauseMs: 20, ...options }),
    lines,
    pids,
    givenUp,
  };
}

const until = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

it('resolves with the address once the child is ready, also when it was warmed up before', async () => {
  const { child, pids } = rig({
    script: script('good', `process.send({ type: 'ready', url: 'http://' + boot.host });`),
  });
  child.warmUp();
  expect(await child.start(bootOf({ host: 'here' }))).toBe('http://here');
  expect(pids).toHaveLength(1);
  await child.stop(5_000);
});

it('rejects with the code and text of a child that reports a failure, and does not try again', async () => {
  const body = `process.send({ type: 'failed', code: 'EADDRINUSE', message: 'taken' }, () => process.exit(1));`;
  const { child, pids } = rig({ script: script('failing', body) });
  await expect(child.start(bootOf({}))).rejects.toMatchObject({ code: 'EADDRINUSE', message: 'taken' });
  expect(pids).toHaveLength(1);
});

it('rejects when the first child dies without a word, or is not ready in time', async () => {
  const dying = rig({ script: script('dying', 'process.exit(9);') });
  await expect(dying.child.start(bootOf({}))).rejects.toThrow('exit 9');
  const mute = rig({ script: script('mute', ''), startMs: 300 });
  await expect(mute.child.start(bootOf({}))).rejects.toThrow('not ready within 0.3 s');
  await mute.child.kill();
});

it('starts a child that died again with what it was last told to', async () => {
  const body = `process.send({ type: 'ready', url: 'http://' + boot.host }); if (boot.host === 'first') setTimeout(() => process.exit(1), 50);`;
  const { child, lines, pids } = rig({ script: script('restarted', body) });
  await child.start(bootOf({ host: 'first' }));
  child.replaceBoot(bootOf({ host: 'second' }));
  await until(() => lines.some((line) => line.startsWith('serves again')));
  expect(pids).toHaveLength(2);
  await child.stop(5_000);
  expect(pids).toHaveLength(2);
});

it('gives up loudly after too many deaths at once in a row', async () => {
  const body = `process.send({ type: 'ready', url: null }, () => process.exit(4));`;
  const { child, pids, givenUp } = rig({ script: script('hopeless', body), maxInstantDeaths: 3 });
  await child.start(bootOf({}));
  expect((await givenUp).message).toContain('exit 4');
  expect(pids).toHaveLength(4);
});

it('a child that does not stop is killed when its time is up', async () => {
  const file = path.join(folder, 'stubborn.mjs');
  writeFileSync(
    file,
    `process.on('message', ({ type }) => type === 'boot' && process.send({ type: 'ready', url: null }));`,
  );
  const { child, lines } = rig({ script: file });
  await child.start(bootOf({}));
  await child.stop(200);
  expect(lines.join()).toContain('did not stop within 200 ms');
});

it('secrets and maps survive the way to a child, and nothing else is taken for one', () => {
  const sent = { a: [new Secret('hidden')], b: { c: null, d: new Map([['e', 1]]), f: new Map() } };
  const packed: unknown = JSON.parse(JSON.stringify(pack(sent)));
  const { a, ...rest } = unpack(packed) as { a: Secret[]; b: unknown };
  expect(a[0]?.reveal()).toBe('hidden');
  expect(rest).toEqual({ b: sent.b });
});
