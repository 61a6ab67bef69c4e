import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { executablesOnPath } from './executables.js';

describe('executablesOnPath', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'sf path ')));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('CFG-1: finds programs in the order of the path, behind links, each once', () => {
    const [real, links] = [path.join(folder, 'real'), path.join(folder, 'links')];
    mkdirSync(real);
    mkdirSync(links);
    writeFileSync(path.join(real, 'tool'), '#!/bin/sh\n');
    chmodSync(path.join(real, 'tool'), 0o755);
    symlinkSync(path.join(real, 'tool'), path.join(links, 'tool'));
    expect(executablesOnPath('tool', [links, real].join(path.delimiter))).toEqual([path.join(real, 'tool')]);
  });

  it('CFG-1: passes over folders, plain files and relative entries', () => {
    mkdirSync(path.join(folder, 'tool'));
    expect(executablesOnPath('tool', [folder, '.', '', 'bin'].join(path.delimiter))).toEqual([]);
    rmSync(path.join(folder, 'tool'), { recursive: true });
    writeFileSync(path.join(folder, 'tool'), '');
    expect(executablesOnPath('tool', folder)).toEqual([]);
  });
});
