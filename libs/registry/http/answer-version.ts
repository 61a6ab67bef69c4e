import type { FastifyReply } from 'fastify';
import type { RegistryWriter } from '../registry-writer.js';

/** `ETag` of an object, and with `?wait=applied` how many of the living replicas run the change (`x-smartflow-applied: 2/2`). */
export async function answerVersion(
  reply: FastifyReply,
  version: number,
  writer: RegistryWriter,
  wait: 'applied' | undefined,
): Promise<void> {
  void reply.header('etag', `"${version}"`);
  if (wait !== 'applied') return;
  const { applied, replicas } = await writer.waitApplied(version);
  void reply.header('x-smartflow-applied', `${applied}/${replicas}`);
}
