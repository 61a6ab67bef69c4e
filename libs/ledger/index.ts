export type { BodyCapture, BodySink, UsageEvent, UsageSink } from './usage-event.js';
