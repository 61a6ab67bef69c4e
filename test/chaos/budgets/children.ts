// Child processes of the proof: started, killed, stopped, asked; none outlives it.
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

export function start(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Starts a compiled file of this folder with its settings, connected by IPC. */
export function startPart(file: string, settings: object): ChildProcess {
  return start(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, CHAOS: JSON.stringify(settings) },
  });
}

/** SIGKILL, also of a stopped process, and its end. */
export async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  if (isAlive(child)) await new Promise((resolve) => child.once('exit', resolve));
}

let commands = 0;

/**
 * The first message a child sends, or its answer to `command`; `null` when it ends or says nothing. Answers carry the
 * number of their command: a late one is nobody else's.
 */
export function answerOf<T>(child: ChildProcess, command: object | null = null, withinMs = 30_000): Promise<T | null> {
  const number = command === null ? 0 : (commands += 1);
  return new Promise((resolve) => {
    const finish = (answer: T | null): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
      resolve(answer);
    };
    const onMessage = (answer: unknown): void => {
      if ((answer as { number: number }).number === number) finish(answer as T);
    };
    const onExit = (): void => finish(null);
    const timer = setTimeout(() => finish(null), withinMs);
    child.on('message', onMessage).on('exit', onExit);
    if (command !== null) child.send({ ...command, number }, () => {});
  });
}

export async function killAll(): Promise<void> {
  for (const child of [...children]) await kill(child);
}

/** Wakes every stopped child. */
export function continueAll(): void {
  for (const child of children) child.kill('SIGCONT');
}
