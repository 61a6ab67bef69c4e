import { listenForStop } from './serve/stop-signal.js';

/**
 * Runs one part of the product in this process until it is asked to stop; resolves with the exit code. The second request
 * ends the process at once.
 */
export async function runAlone(start: () => Promise<{ stop(): Promise<void> }>): Promise<number> {
  const stop = listenForStop();
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // their reader may go away
  void stop.forced.then(() => process.exit(1));
  const running = await start();
  await stop.requested;
  await running.stop();
  return 0;
}
