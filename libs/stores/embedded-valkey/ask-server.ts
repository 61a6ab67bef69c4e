import net from 'node:net';
import { encodeCommand, ReplyReader, type Reply } from './resp.js';

/**
 * Sends a few commands over a connection of its own and answers their replies (errors as values).
 * Rejects when there is no server, or not all replies within `timeoutMs`.
 */
export function askServer(port: number, commands: readonly (readonly string[])[], timeoutMs: number): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const replies: Reply[] = [];
    const reader = new ReplyReader();
    const socket = net.connect({ host: '127.0.0.1', port });
    const finish = (error: Error | null): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(replies);
      else reject(error);
    };
    const timer = setTimeout(() => finish(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.once('connect', () => socket.write(Buffer.concat(commands.map(encodeCommand))));
    socket.on('data', (chunk) => {
      replies.push(...reader.read(chunk));
      if (replies.length >= commands.length) finish(null);
    });
    socket.once('error', finish).once('close', () => finish(new Error('the connection was closed')));
  });
}
