import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Answer, type Behaviour, bytesOf, type Piece, piecesOf } from './behaviour.js';

/**
 * Carries out a behaviour on one exchange. Resolves when nothing is left to do or the client has gone.
 * `breaking` is called right before the connection is broken on purpose.
 */
export async function perform(
  behaviour: Behaviour,
  request: IncomingMessage,
  response: ServerResponse,
  breaking: () => void,
): Promise<void> {
  const { socket } = request;
  const endSocket = (withReset: boolean): void => {
    if (socket.destroyed) return;
    breaking();
    if (withReset) socket.resetAndDestroy();
    else socket.destroy();
  };
  switch (behaviour.kind) {
    case 'hang':
      return;
    case 'reset':
    case 'close':
      endSocket(behaviour.kind === 'reset');
      return;
    case 'raw':
      await writeAll(behaviour.bytes, (bytes) => writeTo(socket, bytes), socket);
      if (behaviour.end !== 'hang') endSocket(behaviour.end === 'reset');
      return;
    case 'answer':
      await answer(behaviour, socket, response);
      if (behaviour.end === 'cut' || behaviour.end === 'reset') endSocket(behaviour.end === 'reset');
  }
}

async function answer(plan: Answer, socket: Socket, response: ServerResponse): Promise<void> {
  if (plan.beforeMs !== undefined) await pause(plan.beforeMs, socket);
  if (socket.destroyed) return;
  const headers = Object.entries(plan.headers ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : value.map((one) => [name, one] as const),
  );
  const framing = typeof plan.framing === 'number' ? ([['content-length', String(plan.framing)]] as const) : [];
  response.writeHead(plan.status ?? 200, [...headers, ...framing].flat());
  response.flushHeaders();
  await writeAll(piecesOf(plan.body), (bytes) => writeTo(response, bytes), socket);
  if ((plan.end ?? 'clean') !== 'clean' || socket.destroyed) return;
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
    response.end(resolve);
  });
  if (plan.trailing !== undefined && !socket.destroyed) socket.write(plan.trailing);
}

async function writeAll(
  pieces: Iterable<Piece>,
  write: (bytes: Uint8Array) => Promise<boolean>,
  socket: Socket,
): Promise<void> {
  for (const piece of pieces) {
    const bytes = bytesOf(piece);
    if (bytes !== null) {
      if (!(await write(bytes))) return;
    } else await pause((piece as { waitMs: number }).waitMs, socket);
    if (socket.destroyed) return;
  }
}

/** Resolves when the bytes were taken over by the kernel, so that a cut after them comes after them. False: client gone. */
function writeTo(target: Socket | ServerResponse, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    if (target.destroyed) {
      resolve(false);
      return;
    }
    const gone = (): void => resolve(false);
    target.once('close', gone);
    target.write(bytes, (error) => {
      target.removeListener('close', gone);
      resolve(error == null);
    });
  });
}

/** Waits, but not longer than the client stays. */
function pause(waitMs: number, socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      socket.removeListener('close', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    socket.once('close', done);
  });
}
