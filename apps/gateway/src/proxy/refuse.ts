import { BudgetRefusal, LimitRefusal } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';
import { budgetHeaders, limitHeaders, ownHeaders, refusedBudgetHeaders } from './response-headers.js';
import { tellRefusal } from './tell-refusal.js';

/** Ends a request that made no upstream call: the error in the dialect of its route. */
export function refuse(exchange: Exchange, plane: DataPlane, error: unknown): void {
  const known = error instanceof AppError ? error : new AppError('internal', { cause: error });
  if (known.code === 'internal')
    plane.log.error({ err: error, requestId: exchange.id }, 'a stage of the data plane failed');
  plane.metrics.refused(exchange.endpoint.route, known.code);
  if (known instanceof BudgetRefusal) tellRefusal(plane.alerts, exchange.key, known);
  abandon(exchange, plane);
  answerError(exchange, plane, known);
}

/** No upstream call is made: what the call holds of limits and budgets goes back. */
export function abandon({ ticket, admission }: Exchange, plane: DataPlane): void {
  ticket?.cancel();
  if (admission !== null) plane.budgets.cancel(admission);
}

/** What an upstream said by its status line when its text could not be read. */
interface UpstreamVerdict {
  readonly status: number;
  readonly retryAfter: string | null;
}

/**
 * Writes an error as the whole answer. Nothing may have been written before.
 * @param verdict takes the place of the error's own status
 */
export function answerError(
  exchange: Exchange,
  plane: DataPlane,
  error: AppError,
  verdict: UpstreamVerdict | null = null,
): void {
  const { response } = exchange;
  if (response.destroyed || response.headersSent) return;
  const rendered = exchange.endpoint.dialect.renderError(error);
  const body = Buffer.from(rendered.body);
  response.writeHead(verdict?.status ?? rendered.status, {
    ...rendered.headers,
    ...(verdict === null || verdict.retryAfter === null ? {} : { 'retry-after': verdict.retryAfter }),
    ...ownHeaders(exchange, plane),
    ...budgetHeaders(exchange, plane, 0),
    ...(error instanceof LimitRefusal ? limitHeaders(exchange, error) : {}),
    ...(error instanceof BudgetRefusal ? refusedBudgetHeaders(error.state) : {}),
    'content-length': body.length,
  });
  response.end(exchange.request.method === 'HEAD' ? undefined : body);
}

/** The same at the end of a call that was made: whatever goes wrong here, the call must still be recorded. */
export function tellFailure(
  exchange: Exchange,
  plane: DataPlane,
  error: AppError,
  verdict: UpstreamVerdict | null = null,
): void {
  try {
    answerError(exchange, plane, error, verdict);
  } catch (thrown) {
    plane.log.error({ requestId: exchange.id, err: thrown }, 'a failure could not be told to the caller');
    exchange.response.destroy();
  }
}
