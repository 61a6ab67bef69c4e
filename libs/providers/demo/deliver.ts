import type { ServerResponse } from 'node:http';
import { BREAK_AFTER_CHUNKS, type BreakOff, type DemoBehaviour } from './behaviour.js';
import type { DemoReply, Frame } from './call.js';

/** Slow plain answers come in at most so many parts. */
const MAX_DRIP_PARTS = 64;
const HTML =
  '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to the network</h1></body></html>\n';

/** Sends an answer with the faults and pauses of its behaviour. Resolves when it is sent, broken off or the client is gone. */
export async function deliver(reply: DemoReply, response: ServerResponse): Promise<void> {
  const { behaviour } = reply;
  if (behaviour !== null && behaviour.delayMs > 0) await pause(behaviour.delayMs, response);
  if (response.destroyed) return;
  if (behaviour?.instead === 'reset') response.socket?.resetAndDestroy();
  else if (behaviour?.instead === 'html')
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(HTML);
  else if (reply.kind === 'json') await deliverJson(reply, response);
  else {
    response.writeHead(200, { 'content-type': reply.contentType, 'cache-control': 'no-cache', ...reply.headers });
    response.flushHeaders();
    await deliverFrames(reply.frames, reply.behaviour, response);
  }
}

async function deliverJson(reply: DemoReply & { kind: 'json' }, response: ServerResponse): Promise<void> {
  const { behaviour, headers, body } = reply;
  const bytes = Buffer.from(JSON.stringify(body));
  const breakOff = behaviour?.breakOff ?? null;
  const paceMs = behaviour?.answer === 'echo' ? behaviour.paceMs : 0;
  // `cut-clean` ends half an answer as if it were whole, which a content-length would give away.
  const length = breakOff === 'cut-clean' ? {} : { 'content-length': bytes.length };
  response.writeHead(200, { 'content-type': 'application/json', ...length, ...headers });
  if (breakOff !== null) {
    await write(bytes.subarray(0, Math.floor(bytes.length / 2)), response);
    breakConnection(breakOff, response);
    return;
  }
  const size = paceMs === 0 ? bytes.length : Math.ceil(bytes.length / MAX_DRIP_PARTS);
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    if (at > 0) await pause(paceMs, response);
    await write(bytes.subarray(at, at + size), response);
  }
  response.end();
}

async function deliverFrames(
  frames: Iterable<Frame>,
  behaviour: DemoBehaviour,
  response: ServerResponse,
): Promise<void> {
  let sent = 0;
  for (const { text, isContent } of frames) {
    if (isContent) {
      if (behaviour.breakOff !== null && sent === BREAK_AFTER_CHUNKS) {
        breakConnection(behaviour.breakOff, response);
        return;
      }
      if (sent > 0 && behaviour.paceMs > 0) await pause(behaviour.paceMs, response);
      sent += 1;
    }
    await write(text, response);
    if (response.destroyed) return;
  }
  response.end();
}

function breakConnection(how: BreakOff, response: ServerResponse): void {
  if (how === 'cut') response.socket?.destroy();
  else if (how === 'cut-clean') response.end();
  // 'stall': nothing more is sent, until the client leaves or the provider stops.
}

/** Resolves when the bytes are with the kernel, so that a cut comes after them and a slow reader slows us; or the client is gone. */
function write(bytes: string | Buffer, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    const done = (): void => {
      response.removeListener('close', done);
      resolve();
    };
    response.once('close', done);
    response.write(bytes, done);
  });
}

function pause(waitMs: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      response.removeListener('close', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    response.once('close', done);
  });
}
