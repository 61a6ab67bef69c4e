import { commandLineHas, endProcess, isAlive } from '#libs/stores/index.js';
import path from 'node:path';
import type { RunRecord } from './run-record.js';

/** Part of the command line of every gateway and worker under a supervisor: a reused process id will hardly have it. */
const CHILD_SCRIPT = path.join('apps', 'cli', 'src', 'serve', 'child.js');

/**
 * Ends the gateway and worker of a supervisor that was killed. They stop by themselves once it is gone, yet may still finish
 * streams and hold the port: they get 5 s more, then they are killed. Stores are not touched: the new start adopts them.
 */
export async function endLeftovers(record: RunRecord, onFound: (name: string, pid: number) => void): Promise<void> {
  const left = record.left().filter(({ pid }) => isAlive(pid) && commandLineHas(pid, CHILD_SCRIPT));
  await Promise.all(
    left.map(async ({ name, pid }) => {
      onFound(name, pid);
      const ended = await endProcess(pid, [
        { signal: 'SIGTERM', waitMs: 5_000 },
        { signal: 'SIGKILL', waitMs: 2_000 },
      ]);
      if (!ended) throw new Error(`process ${pid}, the ${name} of an earlier run, cannot be ended`);
    }),
  );
}
