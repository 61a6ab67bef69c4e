// The fake upstream as its own process, for end-to-end runs and benches:
//   node dist/test/fakes/upstream/main.js [--port 0] [--before-ms 0] [--gap-ms 0] [--record 1000]
// Prints one line of JSON, {"port":…,"url":…}, when it listens. Answers every call with its recording; over HTTP it can be told
// otherwise: POST /__fake/respond {"when": "next" | {method?, path?, model?}, "behaviour": {…}, "times"?} with pieces as text,
// {"base64"} or {"waitMs"}; GET /__fake/requests; POST /__fake/reset. Ends on SIGTERM, and with its parent when it was forked.
import { parseArgs } from 'node:util';
import { type Behaviour, json, type Piece } from './behaviour.js';
import { type FakeUpstream, type Matcher, startFakeUpstream } from './fake-upstream.js';
import type { RecordedRequest } from './recorded-request.js';
import { answerWithRecording } from './recordings.js';

type WirePiece = string | { readonly waitMs: number } | { readonly base64: string };
interface Order {
  readonly when: 'next' | Extract<Matcher, object>;
  readonly behaviour: Omit<Behaviour, 'body' | 'bytes'> & {
    readonly body?: readonly WirePiece[];
    readonly bytes?: readonly WirePiece[];
  };
  readonly times?: number;
}

function piece(wire: WirePiece): Piece {
  return typeof wire === 'object' && 'base64' in wire ? Buffer.from(wire.base64, 'base64') : wire;
}

/** Carries out a call to `/__fake/…`. */
function control(fake: FakeUpstream, request: RecordedRequest): Behaviour {
  if (request.target === '/__fake/respond') {
    const { when, behaviour, times } = request.json() as Order;
    const { body, bytes, ...rest } = behaviour;
    const reaction = {
      ...rest,
      ...(body && { body: body.map(piece) }),
      ...(bytes && { bytes: bytes.map(piece) }),
    } as Behaviour;
    fake.respond(when, reaction, times === undefined ? {} : { times });
    return json({});
  }
  if (request.target === '/__fake/requests') {
    return json(
      fake.requests.map(({ method, target, rawHeaders, body }) => ({
        method,
        target,
        rawHeaders,
        body: body.toString('base64'),
      })),
    );
  }
  if (request.target !== '/__fake/reset') return json({}, { status: 404 });
  fake.reset();
  return json({});
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'before-ms': { type: 'string', default: '0' },
    'gap-ms': { type: 'string', default: '0' },
    record: { type: 'string', default: '1000' },
  },
});
const pace = { beforeMs: Number(values['before-ms']), gapMs: Number(values['gap-ms']) };
const fake: FakeUpstream = await startFakeUpstream({
  port: Number(values.port),
  maxRecorded: Number(values.record),
  control: { prefix: '/__fake/', handle: (request) => control(fake, request) },
  fallback: (request) => answerWithRecording(request, pace),
});
console.log(JSON.stringify({ port: fake.port, url: fake.url }));
const end = (): void => void fake.stop().then(() => process.exit(0));
process.once('SIGTERM', end);
process.once('SIGINT', end);
process.once('disconnect', end);
