import type { FastifyReply } from 'fastify';

/** What waits for all living replicas to run a version; the registry's writer does. */
export interface AppliedWaiter {
  waitApplied(version: number): Promise<{ readonly applied: number; readonly replicas: number }>;
}

/** `ETag` of an object, and with `?wait=applied` how many of the living replicas run the change (`x-smartflow-applied: 2/2`). */
export async function answerVersion(
  reply: FastifyReply,
  version: number,
  writer: AppliedWaiter,
  wait: 'applied' | undefined,
): Promise<void> {
  void reply.header('etag', `"${version}"`);
  if (wait !== 'applied') return;
  const { applied, replicas } = await writer.waitApplied(version);
  void reply.header('x-smartflow-applied', `${applied}/${replicas}`);
}
