import { mkdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** `sockaddr_un` holds 104 bytes on macOS and the BSDs, 108 on Linux, its closing zero included. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET = 'alive';
const NEW = '.new-';

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
  const bytes = Buffer.byteLength(path.join(fresh, SOCKET));
  if (bytes > LONGEST_SOCKET_PATH) {
    const most = LONGEST_SOCKET_PATH - (bytes - Buffer.byteLength(root));
    throw new SpoolUnusableError(
      `the path of the spool folder is too long for a socket in it (${Buffer.byteLength(root)} bytes, at most ${most}): ` +
        `${root}: choose a data folder with a shorter path`,
    );
  }
  const server = net.createServer((socket) => socket.destroy());
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o700 });
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(path.join(fresh, SOCKET), resolve),
    );
    server.on('error', () => {});
    server.unref();
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
