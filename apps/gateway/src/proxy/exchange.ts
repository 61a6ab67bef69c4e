import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ChatMaximum, Operation, RequestFacts } from '#libs/dialects/index.js';
import type { Admission, KeyRecord, LimitTicket } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { newId } from '#libs/platform/ids.js';
import type { UpperBound } from '#libs/pricing/index.js';
import type { PlanTarget, RoutePlan, RouteRun, Target } from '#libs/routing/index.js';
import type { Endpoint } from './endpoints.js';
import type { Snapshot } from './snapshot.js';
import type { TranslatedBody } from './translate-body.js';
import type { UpstreamAttempt } from './upstream-attempt.js';

const NO_BODY = Buffer.alloc(0);
const NOTHING_DROPPED: readonly string[] = [];
const NO_CANDIDATES: readonly PlanTarget[] = [];
/** `null`: nobody needed it. */
type Facts = Readonly<Record<ChatMaximum, RequestFacts | null>>;
const NO_FACTS: Facts = { max_completion_tokens: null, max_tokens: null };

/**
 * Everything about one request, in one object of fixed shape: all fields are set here, so that every exchange has the same
 * hidden class (a test holds this). Stages read and fill it; it is passed as an argument, never looked up.
 */
export class Exchange {
  readonly id = newId('req');
  /** Monotonic ms. */
  readonly startedMs = performance.now();
  /** Ms since 1970. */
  readonly startedAtMs = Date.now();
  /** The body as received. */
  readonly received: Buffer;
  /** Path of the request without its query. */
  readonly path: string;

  // filled by authenticate
  key: KeyRecord | null = null;
  /** The caller's query without its key, for the upstream. */
  query = '';

  // filled by read
  operation: Operation | null = null;
  modelRequested = '';
  stream = false;
  /** The caller's body as it is read from here on: the received one, or what stands for it. */
  body: Buffer = NO_BODY;
  /** Fields of the body that reading has left out, whoever serves the call; the answer names them. */
  dropped: readonly string[] = NOTHING_DROPPED;

  // filled by resolve
  plan: RoutePlan | null = null;
  /** Targets of the plan that can take the call. */
  candidates: readonly PlanTarget[] = NO_CANDIDATES;
  /** The target to begin with. */
  first: Target | null = null;

  // filled by admit
  /** What the request says about its largest bill, to providers that read the maximum of a chat under this name. */
  facts: Facts = NO_FACTS;
  /** What the call holds of its rate limits; `null`: it has none. */
  ticket: LimitTicket | null = null;
  /** The money set aside for the call, and the intent of its row; `null`: nothing was admitted. */
  admission: Admission | null = null;
  /** The most the call may cost at each target; `null`: nobody asked. */
  bounds: ReadonlyMap<PlanTarget, UpperBound> | null = null;
  /** The body for targets that speak another dialect; `null`: none was needed yet. */
  translations: ReadonlyMap<Target, TranslatedBody> | null = null;
  /** What becomes of the call when its caller leaves; `null`: as the provider's setting says. For hard budgets: `drain`. */
  whenClientGone: 'cancel' | 'drain' | null = null;

  // filled by attempt
  run: RouteRun | null = null;
  /** The latest attempt that was made: its answer is the caller's, unless another one follows. */
  attempt: UpstreamAttempt | null = null;
  /** Tokens of failed attempts: what they reported, or the estimate where nobody knows. */
  failedTokens = 0;
  settled = false;

  constructor(
    readonly endpoint: Endpoint,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    body: Buffer | null,
    /** One configuration for the whole call, whatever changes meanwhile. */
    readonly snapshot: Snapshot,
  ) {
    this.received = body ?? NO_BODY;
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
  }

  /** Who serves the call, as far as is known: the latest target that was asked, or the one to begin with. */
  get target(): Target | null {
    return this.attempt === null ? this.first : this.attempt.target;
  }

  /** A header of the request as one string. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : value;
  }
}

/** A part of a URL in clear; malformed escapes are the caller's mistake. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AppError('bad_path');
  }
}
