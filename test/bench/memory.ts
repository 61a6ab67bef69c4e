import type { Ends } from './ends.js';
import { Inspector } from './inspector.js';
import { measure, specOf, type Load } from './measure.js';
import { rssKib } from './process-cost.js';
import type { Row } from './rows.js';

/** What many calls left behind in a process. */
export interface Growth {
  readonly calls: number;
  /** Change of live bytes after full collections. */
  readonly liveKib: number;
  readonly rssKib: number;
  /** Resident memory at the end. */
  readonly rssAfterKib: number;
}

const SETTLE_MS = 2000;
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** Live and resident memory of a warm process before and after so many calls. */
export async function growth(ends: Ends, row: Row, load: Load, calls: number): Promise<Growth> {
  const inspector = await Inspector.attach(row);
  try {
    const look = async (): Promise<{ readonly live: number; readonly rss: number }> => {
      await settle();
      return { rss: rssKib(row.pid), live: (await inspector.liveBytes()) / 1024 };
    };
    const before = await look();
    await measure(ends, row, load, { windowMs: 3_600_000, maxAnswers: calls });
    const after = await look();
    return { calls, liveKib: after.live - before.live, rssKib: after.rss - before.rss, rssAfterKib: after.rss };
  } finally {
    inspector.close();
  }
}

/** Streams opened before the first look: what the process needs once, and not per stream, is there by then. */
const FIRST_STREAMS = 500;
const STREAM: Load = { name: 'idle', bodyBytes: 1_000, stream: true, callers: 64 };

/** Opens silent streams up to `count`, leaves them open, and answers the resident memory that each one takes. */
export async function idleStreamKib(ends: Ends, row: Row, count: number): Promise<number> {
  await measure(ends, row, STREAM, { windowMs: 1000 });
  const spec = specOf(row, STREAM, { windowMs: 0 });
  await ends.hold(spec, FIRST_STREAMS);
  await settle();
  const before = rssKib(row.pid);
  await ends.hold(spec, count - FIRST_STREAMS);
  await settle();
  return (rssKib(row.pid) - before) / (count - FIRST_STREAMS);
}
