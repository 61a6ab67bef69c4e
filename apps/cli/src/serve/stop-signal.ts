/** When and how urgently this process is asked to end. */
export interface StopSignal {
  /** Resolves with the reason at the first request. */
  readonly requested: Promise<string>;
  isRequested(): boolean;
  /** Resolves at the second request: end at once. */
  readonly forced: Promise<void>;
}

/**
 * Listens for every way this process is asked to end: SIGTERM, SIGINT, SIGHUP, a `stop` message of the parent (Windows has no
 * SIGTERM), and the end of the parent, seen by its closed channel. A lost parent alone never forces.
 */
export function listenForStop(): StopSignal {
  let asked = 0;
  let first: (reason: string) => void = () => {};
  let second: () => void = () => {};
  const requested = new Promise<string>((resolve) => (first = resolve));
  const forced = new Promise<void>((resolve) => (second = resolve));
  const ask = (reason: string): void => {
    asked += 1;
    if (asked === 1) first(reason);
    else second();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, ask);
  process.on('message', (message: { type?: unknown }) => {
    if (message.type === 'stop') ask('the parent asked for it');
  });
  let lost = false;
  process.once('disconnect', () => {
    lost = true;
    first('the parent process has ended');
  });
  return { requested, forced, isRequested: () => asked > 0 || lost };
}
