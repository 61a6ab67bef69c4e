import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** `sockaddr_un` holds 104 bytes on macOS and the BSDs, 108 on Linux, its closing zero included. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET = 'alive';
const KERNEL = 'kernel';
const NEW = '.new-';
/** Of what `newProcessId` makes, for some hundred years. */
const PROCESS_ID_LENGTH = 19;

/** Where the spools of the processes of a machine lie, in the data folder. */
export function spoolFolderOf(dataDir: string): string {
  return path.join(dataDir, 'spool');
}

/** A sentence when the path of a spool folder is too long for the sockets in it; `null` when it fits. */
export function spoolPathProblem(root: string): string | null {
  // as long as any name that a process gives itself
  return pathProblem(root, `${NEW}${'0'.repeat(PROCESS_ID_LENGTH)}`);
}

function pathProblem(root: string, name: string): string | null {
  const bytes = Buffer.byteLength(path.join(root, name, SOCKET));
  if (bytes <= LONGEST_SOCKET_PATH) return null;
  const rootBytes = Buffer.byteLength(root);
  return (
    `the path of the spool folder is too long for a socket in it (${rootBytes} bytes, at most ` +
    `${LONGEST_SOCKET_PATH - (bytes - rootBytes)}): ${root}: choose a data folder with a shorter path`
  );
}

/** The spool cannot be used; the message is meant for the operator. */
export class SpoolUnusableError extends Error {}

/** A process's folder in the spool, with the socket that tells its life from its death. */
export interface SpoolFolder {
  readonly dir: string;
  /** Ends the socket and removes the folder with all that is in it. */
  remove(): void;
  /** Ends the socket; the folder stays, to be adopted. */
  abandon(): void;
}

/**
 * Makes the folder `<root>/<processId>` together with its socket: it appears under its name only when the socket answers,
 * so that nobody takes it for a dead process's. The kernel answers on the socket while the process exists, stopped or not.
 * @throws SpoolUnusableError when the path is too long for a socket or the folder cannot be made
 */
export async function openSpoolFolder(root: string, processId: string): Promise<SpoolFolder> {
  const fresh = path.join(root, NEW + processId);
  const dir = path.join(root, processId);
  const problem = pathProblem(root, NEW + processId);
  if (problem !== null) throw new SpoolUnusableError(problem);
  const server = net.createServer((socket) => socket.destroy());
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o700 });
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(path.join(fresh, SOCKET), resolve),
    );
    server.on('error', () => {});
    server.unref();
    writeFileSync(path.join(fresh, KERNEL), kernelId());
    renameSync(fresh, dir);
  } catch (error) {
    server.close();
    rmSync(fresh, { recursive: true, force: true });
    throw new SpoolUnusableError(`the spool folder cannot be used: ${root}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return {
    dir,
    remove: () => {
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
    abandon: () => void server.close(),
  };
}

/**
 * Which running kernel this is. A socket tells of a process only on the kernel that made it: on a volume shared with other
 * machines, and after a restart of this one, it refuses whether its process lives or not.
 */
function kernelId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(); // the same in all containers of a machine
  } catch {
    return os.hostname();
  }
}

/** Was the folder made on this machine since it was started? */
export function isOfThisKernel(dir: string): boolean {
  try {
    return readFileSync(path.join(dir, KERNEL), 'utf8') === kernelId();
  } catch {
    return false;
  }
}

/** True for a folder that a process is about to make its own. */
export function isBeingMade(name: string): boolean {
  return name.startsWith(NEW);
}

/** Is the process of this folder there? Only "refused" and "no socket" mean no: a full backlog answers EAGAIN. */
export function isOwnerAlive(dir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path.join(dir, SOCKET), () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
