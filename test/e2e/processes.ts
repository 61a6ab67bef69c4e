// Which processes belong to a product under test, seen from outside: by what their command lines name.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function linuxProcess(pid: number): RunningProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, state, parent] = /^\) (\S) (\d+)/.exec(stat.slice(stat.lastIndexOf(')'))) ?? [];
    if (state === 'Z' || state === 'X') return null; // a zombie runs no more
    return {
      pid,
      parent: Number(parent),
      command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
    };
  } catch {
    return null; // it has ended
  }
}

function allProcesses(): RunningProcess[] {
  if (existsSync('/proc/self/stat')) {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => linuxProcess(Number(pid))).filter((found) => found !== null);
  }
  const found: RunningProcess[] = [];
  for (const row of execFileSync('ps', ['-Aww', '-o', 'pid=,ppid=,stat=,args='], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  }).split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(row);
    if (match !== null && match[3]?.startsWith('Z') !== true)
      found.push({ pid: Number(match[1]), parent: Number(match[2]), command: match[4] ?? '' });
  }
  return found;
}

/** Every running process whose command line contains `text`, this process and its parent excepted. */
export function processesNaming(text: string): RunningProcess[] {
  return allProcesses().filter(
    ({ pid, command }) => command.includes(text) && pid !== process.pid && pid !== process.ppid,
  );
}

/** The processes that `pid` started and those they started. */
export function descendants(pid: number): RunningProcess[] {
  const all = allProcesses();
  const below = (parent: number): RunningProcess[] =>
    all.filter((found) => found.parent === parent).flatMap((found) => [found, ...below(found.pid)]);
  return below(pid);
}

/** Is there a process of this id that is no zombie? */
export function isRunning(pid: number): boolean {
  return allProcesses().some((found) => found.pid === pid);
}

/** SIGINT (which stops PostgreSQL fast), then SIGKILL after `withinMs`. */
export async function endProcesses(processes: readonly RunningProcess[], withinMs: number): Promise<void> {
  const send = (pid: number, signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended meanwhile
    }
  };
  for (const { pid } of processes) send(pid, 'SIGINT');
  const deadline = Date.now() + withinMs;
  let left = processes.filter(({ pid }) => isRunning(pid));
  while (left.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = left.filter(({ pid }) => isRunning(pid));
  }
  for (const { pid } of left) send(pid, 'SIGKILL');
}
