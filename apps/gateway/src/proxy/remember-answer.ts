import type { DataPlane } from './data-plane.js';
import type { Exchange } from './exchange.js';

/** Beyond this an answer's id is not looked for. */
const MOST_BYTES = 4096;

/** Which target of a chain made an answer of the Responses API: a call that goes on from it must go there. */
export function rememberAnswer({ attempt, key, plan }: Exchange, plane: DataPlane, answer: Buffer): void {
  if (attempt === null || key === null || plan === null || plan.chain === null) return;
  const { way, planned } = attempt;
  if (way.operation !== 'responses' || way.translator !== null) return;
  const id = /"id"\s*:\s*"(resp_[\w-]{1,200})"/.exec(answer.toString('latin1', 0, MOST_BYTES))?.[1];
  if (id !== undefined) plane.responses.remember(key.orgId, id, planned.target.id);
}
