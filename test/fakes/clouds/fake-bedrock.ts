import { type Behaviour, bytes, json } from '../upstream/behaviour.js';
import { type FakeUpstream, startFakeUpstream } from '../upstream/fake-upstream.js';
import type { RecordedRequest } from '../upstream/recorded-request.js';
import { recordings, replay } from '../upstream/recordings.js';
import { framesOf } from './event-frames.js';
import { type KnownKey, signatureProblem } from './sigv4.js';

export interface FakeBedrock extends FakeUpstream {
  /** Keys that sign calls, by id; may be changed. */
  readonly keys: Map<string, KnownKey>;
  /** Bedrock API keys. */
  readonly apiKeys: Set<string>;
}

export const BEDROCK_REGION = 'eu-central-1';
const EVENT_STREAM = { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': 'bedrock-request-1' };
/** What the Anthropic part of Bedrock does not know, the way it says so. */
const UNKNOWN = ['model', 'stream', 'mcp_servers', 'container', 'speed', 'output_format', 'service_tier'];

/** An error of AWS. */
export function awsError(status: number, type: string, message: string): Behaviour {
  return json({ message }, { status, headers: { 'x-amzn-errortype': `${type}:http://internal.amazon.com/` } });
}

/** A stream of Bedrock from these bytes. */
export function eventStream(
  pieces: readonly (Uint8Array | { waitMs: number })[],
  end: 'clean' | 'cut' = 'clean',
): Behaviour {
  return bytes(pieces, { headers: EVENT_STREAM, end });
}

/** Claude on Bedrock: checks signature and body as strictly as AWS does, then answers with a recording. */
export async function startFakeBedrock(): Promise<FakeBedrock> {
  const keys = new Map<string, KnownKey>();
  const apiKeys = new Set<string>();
  const upstream = await startFakeUpstream({
    fallback: (request) => refusal(request, keys, apiKeys) ?? answer(request),
  });
  return Object.assign(upstream, { keys, apiKeys });
}

/** Checks a request as AWS does; for behaviours of a test that come after the check. */
export function refusal(
  request: RecordedRequest,
  keys: ReadonlyMap<string, KnownKey>,
  apiKeys: ReadonlySet<string>,
): Behaviour | null {
  const bearer = /^Bearer (.+)$/.exec(request.header('authorization') ?? '')?.[1];
  if (bearer !== undefined) {
    return apiKeys.has(bearer)
      ? null
      : awsError(403, 'AccessDeniedException', 'Authentication failed: API Key is invalid');
  }
  const problem = signatureProblem(request, keys, { region: BEDROCK_REGION, service: 'bedrock' });
  return problem === null ? null : awsError(403, problem.code, problem.message);
}

function answer(request: RecordedRequest): Behaviour {
  const path = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/.exec(request.target);
  if (path === null) return awsError(404, 'UnknownOperationException', `no such path: ${request.target}`);
  const body = request.json() as Record<string, unknown>;
  const unknown = UNKNOWN.find((name) => name in body);
  if (unknown !== undefined) return awsError(400, 'ValidationException', `${unknown}: Extra inputs are not permitted`);
  if (body['anthropic_version'] !== 'bedrock-2023-05-31') {
    return awsError(400, 'ValidationException', 'Invalid API version');
  }
  if (request.header('anthropic-version') !== undefined || request.header('anthropic-beta') !== undefined) {
    return awsError(400, 'ValidationException', 'headers of another API');
  }
  if (!/^(?:[a-z]+\.)?anthropic\.|^arn:aws:bedrock:/.test(decodeURIComponent(path[1] as string))) {
    return awsError(400, 'ValidationException', 'The provided model identifier is invalid.');
  }
  if (path[2] === 'invoke') return replay(recordings.messages);
  return eventStream(framesOf(recordings.messagesStream.frames));
}
