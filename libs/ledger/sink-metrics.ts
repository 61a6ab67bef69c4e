import { counter, gauge } from '#libs/platform/metrics.js';
import type { RedisBodySink } from './store/body-stream.redis.js';

const pairs = counter('smartflow_bodies_total', 'Pairs of bodies on their way to the archive', ['outcome']);
export const bodiesSent = pairs.with({ outcome: 'sent' });
export const bodiesShedByProcess = pairs.with({ outcome: 'shed_process_full' });
export const bodiesShedByStream = pairs.with({ outcome: 'shed_stream_full' });

/** Shows what waits in the sink of this process; once per process. */
export function observeBodies(bodies: RedisBodySink): void {
  gauge('smartflow_bodies_waiting_bytes', 'Bytes of bodies in memory', () => bodies.stats().waitingBytes);
}
