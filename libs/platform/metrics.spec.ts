import { counter, gauge, histogram, METRICS_CONTENT_TYPE, collectProcessMetrics, renderMetrics } from './metrics.js';

const linesOf = async (name: string): Promise<string[]> =>
  (await renderMetrics()).split('\n').filter((line) => line.startsWith(name) || line.includes(` ${name} `));

describe('counter', () => {
  it('OBS-3: is rendered with help, type and a line for each label set', async () => {
    const calls = counter('spec_calls_total', 'Calls.', ['provider', 'status']);
    calls.inc({ provider: 'openai', status: '200' });
    calls.inc({ provider: 'openai', status: '200' }, 2);
    calls.inc({ provider: 'a"b\\c\nd', status: '500' });
    expect(await linesOf('spec_calls_total')).toEqual([
      '# HELP spec_calls_total Calls.',
      '# TYPE spec_calls_total counter',
      'spec_calls_total{provider="openai",status="200"} 3',
      'spec_calls_total{provider="a\\"b\\\\c\\nd",status="500"} 1',
    ]);
  });

  it('OBS-3: without labels starts at zero', async () => {
    counter('spec_plain_total', 'Plain.', []);
    expect(await linesOf('spec_plain_total')).toContain('spec_plain_total 0');
  });

  it('OBS-3: a handle counts on the same series', async () => {
    const calls = counter('spec_handles_total', 'Handles.', ['kind']);
    const handle = calls.with({ kind: 'a' });
    handle.inc();
    handle.inc(4);
    calls.inc({ kind: 'a' });
    expect(await linesOf('spec_handles_total')).toContain('spec_handles_total{kind="a"} 6');
  });

  it('OBS-3: never falls and is not spoilt by NaN', async () => {
    const calls = counter('spec_odd_total', 'Odd.', []);
    for (const by of [1, -5, NaN, 0, 2]) calls.inc({}, by);
    expect(await linesOf('spec_odd_total')).toContain('spec_odd_total 3');
  });

  it('OBS-3: keeps 200 label sets apart and counts the rest as other', async () => {
    const calls = counter('spec_many_total', 'Many.', ['model', 'kind']);
    for (let i = 0; i < 5000; i++) calls.inc({ model: `m${i}`, kind: 'x' });
    calls.inc({ model: 'm0', kind: 'x' });
    calls.inc({ model: 'y'.repeat(1e6), kind: 'x' });
    const lines = (await linesOf('spec_many_total')).slice(2);
    expect(lines).toHaveLength(201);
    expect(lines[0]).toBe('spec_many_total{model="m0",kind="x"} 2');
    expect(lines.at(-1)).toBe('spec_many_total{model="other",kind="other"} 4801');
  });

  it('OBS-3: label sets whose texts join to the same are kept apart', async () => {
    const calls = counter('spec_joined_total', 'Joined.', ['a', 'b']);
    calls.inc({ a: 'xy', b: 'z' });
    calls.inc({ a: 'x', b: 'yz' });
    expect(await linesOf('spec_joined_total')).toHaveLength(4);
  });

  it('OBS-3: a name taken already or malformed is refused', () => {
    counter('spec_twice_total', 'Twice.', []);
    expect(() => counter('spec_twice_total', 'Twice.', [])).toThrow(/already/);
    expect(() => counter('spec-bad_total', 'Bad.', [])).toThrow(/no metric name/);
  });
});

describe('histogram', () => {
  it('OBS-3: counts cumulatively, with sum and count', async () => {
    const seconds = histogram('spec_seconds', 'Seconds.', ['route'], [0.1, 1, 10]);
    for (const value of [0.05, 0.1, 0.5, 100, NaN]) seconds.observe({ route: 'r' }, value);
    seconds.with({ route: 'r' }).observe(1);
    expect(await linesOf('spec_seconds')).toEqual([
      '# HELP spec_seconds Seconds.',
      '# TYPE spec_seconds histogram',
      'spec_seconds_bucket{route="r",le="0.1"} 2',
      'spec_seconds_bucket{route="r",le="1"} 4',
      'spec_seconds_bucket{route="r",le="10"} 4',
      'spec_seconds_bucket{route="r",le="+Inf"} 5',
      'spec_seconds_sum{route="r"} 101.65',
      'spec_seconds_count{route="r"} 5',
    ]);
  });
});

describe('gauge', () => {
  it('OBS-3: is read when asked for', async () => {
    let value = 1;
    gauge('spec_gauge', 'Gauge.', () => value);
    expect(await linesOf('spec_gauge')).toContain('spec_gauge 1');
    value = 2;
    expect(await linesOf('spec_gauge')).toContain('spec_gauge 2');
    gauge('spec_labelled', 'Labelled.', () => [{ labels: { pool: 'a' }, value: 3 }]);
    expect(await linesOf('spec_labelled')).toContain('spec_labelled{pool="a"} 3');
  });

  it('OBS-3: one that throws leaves the rest of the page intact', async () => {
    gauge('spec_broken', 'Broken.', () => {
      throw new Error('no');
    });
    expect(await linesOf('spec_broken')).toHaveLength(2);
    expect(await linesOf('spec_gauge')).toHaveLength(3);
  });
});

it('OBS-3: the process itself is measured on demand, once', async () => {
  collectProcessMetrics();
  collectProcessMetrics();
  const page = await renderMetrics();
  expect(page).toContain('process_cpu_seconds_total');
  expect(page).toContain('nodejs_eventloop_lag_seconds');
  expect(METRICS_CONTENT_TYPE).toContain('text/plain');
});
