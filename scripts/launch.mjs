// Runs the product's command on the right Node and stands between it and the terminal.
//
// The product gets a process group of its own: Ctrl-C, or a signal to the whole group, reaches this script (and npm, which
// sends it on once more); exactly one goes on to the product, which then stops its parts in order. A second one, later,
// makes it stop at once. When this script is killed, the product notices that the channel to it is closed and stops in order.
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { findNode } from './node-binary.mjs';
import { root } from './setup.mjs';

const SAME_SIGNAL_MS = 1_000;

/** Runs `smartflow …args`; resolves with its exit code (128 + signal number after a signal). */
export function launch(args) {
  const entry = path.join(root, 'dist', 'apps', 'cli', 'src', 'main.js');
  const child = spawn(findNode(root), [entry, ...args], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let lastMs = -Infinity;
  const forward = () => {
    const nowMs = performance.now();
    if (nowMs - lastMs < SAME_SIGNAL_MS) return;
    lastMs = nowMs;
    // Windows has no SIGTERM that could be handled: there the channel carries the wish.
    if (process.platform === 'win32') child.connected && child.send({ type: 'stop' });
    else child.kill('SIGTERM');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
  });
}
