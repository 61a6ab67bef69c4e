import { counter, gauge } from '#libs/platform/metrics.js';
import type { RedisBodySink } from './store/body-stream.redis.js';
import type { RedisUsageSink } from './store/usage-stream.redis.js';

const events = counter('smartflow_usage_events_total', 'Usage events that left this process', ['outcome']);
export const eventsSent = events.with({ outcome: 'sent' });
/** Lost: even the reserve was full. */
export const eventsDropped = events.with({ outcome: 'dropped' });

const pairs = counter('smartflow_bodies_total', 'Pairs of bodies on their way to the archive', ['outcome']);
export const bodiesSent = pairs.with({ outcome: 'sent' });
export const bodiesShedByProcess = pairs.with({ outcome: 'shed_process_full' });
export const bodiesShedByStream = pairs.with({ outcome: 'shed_stream_full' });

/** Shows what waits in the sinks of this process; once per process. */
export function observeSinks(usage: RedisUsageSink, bodies: RedisBodySink): void {
  gauge('smartflow_usage_waiting_events', 'Usage events in memory', () => usage.stats().waitingEvents);
  gauge('smartflow_usage_waiting_bytes', 'Bytes of usage events in memory', () => usage.stats().waitingBytes);
  gauge('smartflow_bodies_waiting_bytes', 'Bytes of bodies in memory', () => bodies.stats().waitingBytes);
}
