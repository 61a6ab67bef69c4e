import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ServerLog } from './server-log.js';

describe('server log', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'sf log '));
    file = path.join(folder, 'server.log');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('OPS-1: a large file is rotated at start, one generation is kept', () => {
    writeFileSync(file, Buffer.alloc(9 << 20, 'x'));
    ServerLog.open(file).close();
    expect(statSync(`${file}.1`).size).toBe(9 << 20);
    expect(statSync(file).size).toBe(0);
  });

  it('OPS-1: a small file is kept, readable by its owner alone', () => {
    ServerLog.open(file).close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    appendFileSync(file, 'before');
    ServerLog.open(file).close();
    expect(existsSync(`${file}.1`)).toBe(false);
  });

  it('OPS-1: the tail is what came after the mark, bounded', () => {
    appendFileSync(file, 'old ');
    const log = ServerLog.open(file);
    appendFileSync(file, 'new');
    expect(log.tail()).toBe('new');
    log.mark();
    appendFileSync(file, 'y'.repeat(100_000));
    expect(log.tail()).toHaveLength(16_384);
    log.close();
  });
});
