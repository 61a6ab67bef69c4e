import type { Dispatcher } from 'undici';
import type { Operation } from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { Provider } from '#libs/providers/index.js';
import { AdaptedAnswer } from './adapted-answer.js';
import type { DataPlane } from './data-plane.js';
import type { Outgoing } from './outgoing.js';

/** One call, ready to go. */
export interface Sending {
  readonly provider: Provider;
  readonly operation: Operation;
  readonly outgoing: Outgoing;
  /** To the status line, and between two chunks. */
  readonly waits: { readonly firstByteMs: number; readonly idleMs: number };
}

/** A dispatch handler that can also be told that no call was made. */
export interface AnswerHandler extends Dispatcher.DispatchHandler {
  /** @param controller `null` when there was no call to control */
  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void;
}

/**
 * Sends a call. With fixed credentials, and with others that are at hand, which is nearly always, this is synchronous. Where
 * a token must be fetched first, `handler` gets the answer later, or `AppError` `upstream_credentials`, or `internal` for what is
 * thrown at once otherwise.
 */
export function send(
  { provider, operation, outgoing, waits }: Sending,
  plane: DataPlane,
  handler: AnswerHandler,
): void {
  const { credential } = provider;
  const go = (): void => dispatch({ provider, operation, outgoing, waits }, plane, handler);
  if (credential === null || credential.isReady()) return go();
  credential
    .refresh()
    .then(go)
    .catch((error: unknown) => {
      handler.onResponseError(null, error instanceof AppError ? error : new AppError('internal', { cause: error }));
    });
}

function dispatch(
  { provider, operation, outgoing: { path, headers, body }, waits }: Sending,
  plane: DataPlane,
  handler: AnswerHandler,
): void {
  const { adaptation, credential } = provider;
  const method = 'POST';
  const proofs = credential === null ? [] : credential.headersFor({ method, path, headers, body });
  const answer = adaptation === null && credential === null ? handler : new AdaptedAnswer(provider, operation, handler);
  plane.pools.of(provider, plane.active.size).dispatch(
    {
      path,
      method,
      headers: proofs.length === 0 ? headers : [...headers, ...proofs],
      body,
      headersTimeout: waits.firstByteMs,
      bodyTimeout: waits.idleMs,
    },
    answer,
  );
}
