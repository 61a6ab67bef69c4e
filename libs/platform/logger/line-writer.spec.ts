import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LineWriter } from './line-writer.js';

let folder: string;
let file: string;
const open: number[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sf-lines-'));
  file = join(folder, 'out');
});
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

function opened(path: string, flags: string | number): number {
  const fd = openSync(path, flags);
  open.push(fd);
  return fd;
}
/** A pipe whose ends do not wait: the writer meets EAGAIN when it is full. */
function pipe(): { reader: number; writer: number } {
  execFileSync('mkfifo', [file]);
  const reader = opened(file, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: opened(file, constants.O_WRONLY | constants.O_NONBLOCK) };
}
const written = (): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await wait(10);
  }
  throw new Error('did not happen in time');
}

it('OBS-3: all lines arrive whole and in order, whether written at once or in turns', async () => {
  const lines = new LineWriter(opened(file, 'a'), 1e6);
  const expected = Array.from({ length: 2000 }, (_, i) => `${i} ${'ü'.repeat(i % 50)}`);
  for (const [index, line] of expected.entries()) {
    lines.write(`${line}\n`);
    if (index % 100 === 0) await wait(1);
  }
  await until(() => written().length === expected.length);
  expect(written()).toEqual(expected);
});

it('OBS-3: what waits when the process ends is written then', () => {
  const lines = new LineWriter(opened(file, 'a'), 1e6);
  lines.write('a\n');
  lines.write('b\n');
  lines.flushSync();
  expect(written()).toEqual(['a', 'b']);
});

it('OBS-3: a reader that does not read costs lines beyond the bound, never time, and is told how many', async () => {
  const { reader, writer } = pipe();
  const lines = new LineWriter(writer, 100_000);
  const before = performance.now();
  for (let i = 0; i < 20_000; i++) {
    lines.write(`${i} ${'x'.repeat(100)}\n`);
    if (i % 1000 === 0) await wait(1);
  }
  expect(performance.now() - before).toBeLessThan(3000);
  let text = '';
  const buffer = Buffer.alloc(65_536);
  await until(() => {
    try {
      text += buffer.toString('utf8', 0, readSync(reader, buffer, 0, buffer.length, null));
    } catch {
      // nothing there at the moment
    }
    return arrived(text) + droppedBy(text) === 20_000;
  });
  expect(droppedBy(text)).toBeGreaterThan(10_000);
});

const arrived = (text: string): number => text.match(/^\d+ x{100}$/gm)?.length ?? 0;
function droppedBy(text: string): number {
  const notes = text.match(/^\{"level":"warn".*log lines dropped.*\}$/gm) ?? [];
  return notes.reduce((sum, note) => sum + (JSON.parse(note) as { lines: number }).lines, 0);
}

it('OBS-3: a reader that is gone ends the writing, at the end of the process too', async () => {
  const { reader, writer } = pipe();
  const lines = new LineWriter(writer, 1e6);
  closeSync(reader);
  open.splice(open.indexOf(reader), 1);
  lines.write('a\n');
  await wait(50);
  lines.write('b\n');
  const before = performance.now();
  lines.flushSync();
  new LineWriter(writer, 1e6).flushSync();
  const fresh = new LineWriter(writer, 1e6);
  fresh.write('c\n');
  fresh.flushSync();
  expect(performance.now() - before).toBeLessThan(500);
});

it('OBS-3: the last lines wait at most a second for a reader that does not read', () => {
  const { writer } = pipe();
  const lines = new LineWriter(writer, 1e6);
  lines.write('x'.repeat(500_000));
  const before = performance.now();
  lines.flushSync();
  expect(performance.now() - before).toBeLessThan(2500);
});
