// The process of a gateway or worker under the supervisor: loads its code, waits for the boot message, serves until it is
// asked to stop or the supervisor has ended (its channel closes; so a killed supervisor leaves no orphans).
import { listenForStop } from './stop-signal.js';
import { unpack, type Boot, type ChildName, type FromChild, type ToChild } from './messages.js';

/** How long the supervisor may take between fork and boot message: it starts and migrates the stores meanwhile. */
const BOOT_MESSAGE_MS = 300_000;

interface Running {
  readonly url: string | null;
  stop(): Promise<void>;
}

async function start(name: ChildName, boot: Promise<Boot>): Promise<Running> {
  if (name === 'gateway') {
    const { startGateway } = await import('../../../gateway/src/main.js');
    const { config, urls } = await boot;
    return startGateway(config, urls);
  }
  const { startWorker } = await import('../../../worker/src/main.js');
  const { config, urls } = await boot;
  return { url: null, ...(await startWorker(config, urls)) };
}

function bootMessage(): Promise<Boot> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the supervisor sent no boot message')), BOOT_MESSAGE_MS);
    process.on('message', (message: ToChild) => {
      if (message.type !== 'boot') return;
      clearTimeout(late);
      resolve(unpack(message.boot) as Boot);
    });
  });
}

/** Sends to the supervisor and waits until it is on its way; a supervisor that is gone is no error here. */
function tell(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) return resolve();
    process.send(message, () => resolve());
  });
}

async function run(name: ChildName): Promise<number> {
  const stop = listenForStop();
  void stop.forced.then(() => process.exit(1));
  // A reader of our output that went away (a closed terminal or pipe) must not end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const started = start(name, bootMessage());
  try {
    const running = await Promise.race([started, stop.requested]);
    if (typeof running === 'string') {
      // Asked to stop while starting: what is half started is finished first, then stopped, but never waited for long.
      await Promise.race([started.then((late) => late.stop()), new Promise((resolve) => setTimeout(resolve, 10_000))]);
      return 0;
    }
    await tell({ type: 'ready', url: running.url });
    await stop.requested;
    await running.stop();
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    await tell({ type: 'failed', code: typeof code === 'string' ? code : null, message });
    if (!process.connected) process.stderr.write(`${name}: ${message}\n`);
    return 1;
  }
}

process.exit(await run(process.argv[2] === 'worker' ? 'worker' : 'gateway'));
