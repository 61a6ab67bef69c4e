// What the kernel knows of a process: CPU time, memory, cores. Linux only, like the bench.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

const TICKS_PER_SECOND = 100; // USER_HZ, the unit of /proc/<pid>/stat, is 100 on every Linux Node runs on

/** User and system time of all threads of a process so far, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** How long the main thread of a process was ready to run and could not so far, because others held its core, in ms. */
export function waitedMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
}

/** Resident memory in KiB. */
export function rssKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

let canPin: boolean | null = null;

/** Binds a process with all its threads to one core; does nothing where `taskset` or a second core is missing. */
export function pin(pid: number, core: number): boolean {
  if (canPin === false || os.cpus().length < 2) return false;
  try {
    execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
    return (canPin = true);
  } catch {
    return (canPin = false);
  }
}

/** The core of the proxies, and the one of load, upstream and stores. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;
