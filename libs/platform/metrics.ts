import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import {
  CounterSeries,
  type GaugeReading,
  GaugeSeries,
  HistogramSeries,
  type Labels,
  type Series,
} from './metrics/series.js';

export type { GaugeReading, Labels } from './metrics/series.js';

/** One label set of a counter: counting on it costs a few nanoseconds. */
export interface CounterHandle {
  inc(by?: number): void;
}

/** Counts up. Finding the label set costs some 100 ns each time; `with` does it once. */
export interface Counter<L extends string> {
  inc(labels: Labels<L>, by?: number): void;
  with(labels: Labels<L>): CounterHandle;
}

/** One label set of a histogram. */
export interface HistogramHandle {
  observe(value: number): void;
}

export interface Histogram<L extends string> {
  observe(labels: Labels<L>, value: number): void;
  with(labels: Labels<L>): HistogramHandle;
}

/** Upper bounds in seconds for what takes from a millisecond to ten minutes, as model calls do. */
export const SECONDS_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
];

const registry = new Registry();

/** Content type of what `renderMetrics` gives. */
export const METRICS_CONTENT_TYPE: string = registry.contentType;

/**
 * A counter of this process, shown by `renderMetrics`. At most 200 label sets are kept apart, the rest counts as `other`.
 * prom-client does the rendering only: its own counters hash their labels anew for each increment.
 * Throws when the name is taken or malformed.
 */
export function counter<const L extends string>(
  name: `${string}_total`,
  help: string,
  labels: readonly L[],
): Counter<L> {
  return register(new CounterSeries(name, help, labels));
}

/** A histogram with the given upper bounds. Names end in their unit: `…_seconds`, `…_bytes`. Otherwise as `counter`. */
export function histogram<const L extends string>(
  name: string,
  help: string,
  labels: readonly L[],
  bounds: readonly number[] = SECONDS_BUCKETS,
): Histogram<L> {
  return register(new HistogramSeries(name, help, labels, bounds));
}

/** A gauge whose value `collect` reads at each scrape; it must be quick and must not wait for anything. */
export function gauge(name: string, help: string, collect: () => GaugeReading): void {
  register(new GaugeSeries(name, help, collect));
}

/** Adds CPU, memory, event loop and garbage collection of this process; once per process. */
export function collectProcessMetrics(): void {
  if (registry.getSingleMetric('process_cpu_seconds_total') === undefined)
    collectDefaultMetrics({ register: registry });
}

/** All metrics of this process in Prometheus' text format. */
export async function renderMetrics(): Promise<string> {
  return registry.metrics();
}

function register<S extends Series>(series: S): S {
  if (!/^[a-z_][a-z0-9_]*$/.test(series.name)) throw new Error(`"${series.name}" is no metric name`);
  const metric = {
    name: series.name,
    help: series.help,
    type: series.type,
    get: async () => ({ name: series.name, help: series.help, type: series.type, values: series.samples() }),
  };
  // The registry asks a metric for nothing but its name and `get()`; the declared type is that of its own classes.
  registry.registerMetric(metric as unknown as Metric);
  return series;
}
