/** Label values by label name. Values come from closed lists or from configuration, never from a caller's free text. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

/** One line of the exposition format, as prom-client takes it. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric as prom-client's registry reads it. */
export interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  samples(): readonly Sample[];
}

/** Distinct label sets a metric keeps apart. The rest is counted under `other` in every label. */
export const MAX_LABEL_SETS = 200;
const MAX_KEY_LENGTH = 1024;

/** The cells of a metric by label set. Finding one costs a string concatenation and a Map lookup. */
class LabelSets<L extends string, Cell> {
  readonly #names: readonly L[];
  readonly #make: () => Cell;
  readonly #cells = new Map<string, { readonly labels: Labels<L>; readonly cell: Cell }>();
  #other: Cell | null = null;

  constructor(names: readonly L[], make: () => Cell) {
    this.#names = names;
    this.#make = make;
  }

  at(labels: Labels<L>): Cell {
    let key = '';
    for (const name of this.#names) key += `${labels[name]}\u0000`;
    return this.#cells.get(key)?.cell ?? this.#add(key, labels);
  }

  all(): { readonly labels: Labels<L>; readonly cell: Cell }[] {
    const cells = [...this.#cells.values()];
    if (this.#other !== null) cells.push({ labels: this.#labels(() => 'other'), cell: this.#other });
    return cells;
  }

  #add(key: string, labels: Labels<L>): Cell {
    if (this.#cells.size >= MAX_LABEL_SETS || key.length > MAX_KEY_LENGTH) return (this.#other ??= this.#make());
    const cell = this.#make();
    this.#cells.set(key, { labels: this.#labels((name) => String(labels[name])), cell });
    return cell;
  }

  #labels(valueOf: (name: L) => string): Labels<L> {
    return Object.fromEntries(this.#names.map((name) => [name, valueOf(name)])) as Record<L, string>;
  }
}

/** One label set of a counter, held by code that counts often. */
export class CounterCell {
  value = 0;
  /** Adds `by`; what is not greater than zero (NaN included) is ignored, since a counter only grows. */
  inc(by = 1): void {
    if (by > 0) this.value += by;
  }
}

export class CounterSeries<L extends string> implements Series {
  readonly type = 'counter';
  readonly #cells: LabelSets<L, CounterCell>;

  constructor(
    readonly name: string,
    readonly help: string,
    labels: readonly L[],
  ) {
    this.#cells = new LabelSets(labels, () => new CounterCell());
    // Without labels the metric exists from the start, so that a rate over it has a beginning.
    if (labels.length === 0) this.#cells.at({} as Labels<L>);
  }
  inc(labels: Labels<L>, by = 1): void {
    this.#cells.at(labels).inc(by);
  }
  with(labels: Labels<L>): CounterCell {
    return this.#cells.at(labels);
  }
  samples(): Sample[] {
    return this.#cells.all().map(({ labels, cell }) => ({ labels, value: cell.value }));
  }
}

/** One label set of a histogram. */
export class HistogramCell {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }
  /** Adds one observation; NaN is ignored. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += value;
  }
  samples(name: string, labels: Readonly<Record<string, string>>): Sample[] {
    let count = 0;
    const buckets = Array.from(this.#counts, (inBucket, index) => {
      count += inBucket;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: this.#bounds[index] ?? '+Inf' }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

export class HistogramSeries<L extends string> implements Series {
  readonly type = 'histogram';
  readonly #cells: LabelSets<L, HistogramCell>;

  constructor(
    readonly name: string,
    readonly help: string,
    labels: readonly L[],
    bounds: readonly number[],
  ) {
    const sorted = [...bounds].sort((a, b) => a - b);
    this.#cells = new LabelSets(labels, () => new HistogramCell(sorted));
    if (labels.length === 0) this.#cells.at({} as Labels<L>);
  }
  observe(labels: Labels<L>, value: number): void {
    this.#cells.at(labels).observe(value);
  }
  with(labels: Labels<L>): HistogramCell {
    return this.#cells.at(labels);
  }
  samples(): Sample[] {
    return this.#cells.all().flatMap(({ labels, cell }) => cell.samples(this.name, labels));
  }
}

/** A gauge is read when it is asked for: one number, or one for each of a few label sets. */
export type GaugeReading =
  number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

export class GaugeSeries implements Series {
  readonly type = 'gauge';
  readonly #collect: () => GaugeReading;

  constructor(
    readonly name: string,
    readonly help: string,
    collect: () => GaugeReading,
  ) {
    this.#collect = collect;
  }
  /** A reader that throws leaves its gauge without a value and the rest of the page intact. */
  samples(): readonly Sample[] {
    try {
      const reading = this.#collect();
      return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading.slice(0, MAX_LABEL_SETS);
    } catch {
      return [];
    }
  }
}
