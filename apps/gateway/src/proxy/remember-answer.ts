import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

/** Beyond this an answer's id is not looked for. */
const MOST_BYTES = 4096;

/** Which target of a chain made an answer of the Responses API: a call that goes on from it must go there. */
export function rememberAnswer({ way, key, run }: Exchange, plane: DataPlane, answer: Buffer): void {
  if (run === null || key === null || run.plan.chain === null) return;
  if (way?.operation !== 'responses' || way.translator !== null) return;
  const id = /"id"\s*:\s*"(resp_[\w-]{1,200})"/.exec(answer.toString('latin1', 0, MOST_BYTES))?.[1];
  const attempt = run.attempts.at(-1);
  if (id !== undefined && attempt !== undefined) plane.responses.remember(key.orgId, id, attempt.target.id);
}
