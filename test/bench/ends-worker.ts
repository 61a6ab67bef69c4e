// Both ends of the wire in one worker thread: the callers and the fake upstream. Being one thread lets a caller that has
// received a piece of a stream tell the upstream to send the next: exactly one piece per stream is under way, as with a model
// that is slower than the network.
import { parentPort } from 'node:worker_threads';
import { Caller } from './caller.js';
import type { RunSpec, WorkerCall } from './ends.js';
import { LoadRun } from './load-run.js';
import { chatBody, requestBytes } from './payloads.js';
import { CannedUpstream } from './upstream.js';

const upstream = new CannedUpstream();
const bodies = new Map<string, Buffer>();
const heldStreams: Caller[] = [];
let prepared: LoadRun | null = null;

function body({ bodyBytes, stream, call }: RunSpec): Buffer {
  const name = `${bodyBytes} ${stream} ${call}`;
  let found = bodies.get(name);
  if (found === undefined) bodies.set(name, (found = chatBody(bodyBytes, stream, call)));
  return found;
}

function answerFor({ stream, call }: RunSpec, id: string): string {
  if (!stream) return 'json';
  return `${call === 'from-claude' ? 'messages' : 'events'};${id}`;
}

async function prepare(spec: RunSpec): Promise<void> {
  prepared = new LoadRun({
    spec,
    request: (id) => requestBytes(spec.port, spec.key, answerFor(spec, id), body(spec), spec.call),
    onPiece: (id) => upstream.advance(id),
    piecesPerAnswer: upstream.pieces,
  });
  await prepared.connected();
}

/** Opens streams that stay silent after their first piece. */
async function hold(spec: RunSpec, count: number): Promise<void> {
  const AT_ONCE = 50;
  for (let opened = 0; opened < count; opened += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - opened) }, () => holdOne(spec)));
  }
}

function holdOne(spec: RunSpec): Promise<void> {
  return new Promise((resolve, reject) => {
    const id = `h${heldStreams.length}`;
    const request = requestBytes(spec.port, spec.key, `idle;${id}`, body({ ...spec, stream: true }));
    const events = {
      onAnswer: () => reject(new Error('a stream that should stay open has ended')),
      onPiece: () => resolve(),
      onFailure: (reason: string) => reject(new Error(`a held stream failed: ${reason}`)),
    };
    const caller = new Caller(id, spec.port, request, events, 4096);
    heldStreams.push(caller);
    void caller.connected().then(() => caller.send());
  });
}

function release(): void {
  for (const caller of heldStreams.splice(0)) caller.close();
}

async function serve(call: WorkerCall): Promise<unknown> {
  if (call.do === 'listen') return upstream.listen();
  if (call.do === 'prepare') return prepare(call.spec);
  if (call.do === 'run') return prepared?.run();
  if (call.do === 'hold') return hold(call.spec, call.count);
  return release();
}

parentPort?.on('message', (message: { readonly id: number; readonly call: WorkerCall }) => {
  serve(message.call).then(
    (value) => parentPort?.postMessage({ id: message.id, value }),
    (error: unknown) =>
      parentPort?.postMessage({ id: message.id, error: error instanceof Error ? error.message : String(error) }),
  );
});
