// The story of a start: configuration → data folder → stores → schema → first credentials → gateway and worker → banner;
// then it keeps the two alive until it is asked to stop, and ends everything in the opposite order, each step bounded.
import type { SmartflowConfig } from '#libs/platform/config.js';
import { migrate, startStores, type RunningStores } from '#libs/stores/index.js';
import { productVersion } from '#libs/platform/product-version.js';
import { banner } from './banner.js';
import { Children } from './children.js';
import { endLeftovers } from './leftovers.js';
import { checkListen } from './listen-check.js';
import { takeDataDir } from './prepare-data-dir.js';
import { ReadyFile } from './ready-file.js';
import { RunRecord } from './run-record.js';
import { listenForStop } from './stop-signal.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/**
 * Runs the whole product until it is asked to stop; resolves with the exit code (0 after an orderly stop). Rejects with a
 * sentence for the user when it cannot start or cannot go on; nothing is left running then.
 */
export async function serve(config: SmartflowConfig): Promise<number> {
  const stop = listenForStop();
  // A reader of our output that went away (a closed terminal or pipe) must not end the product.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const ownFault = uncaught();
  await using ending = new AsyncDisposableStack();
  const { dataDir, listen } = config.boot;

  const lock = await takeDataDir(dataDir);
  ending.defer(() => lock.release());
  const readyFile = config.boot.readyFile === null ? null : new ReadyFile(config.boot.readyFile);
  const record = new RunRecord(dataDir);
  await endLeftovers(record, (name, pid) => say(`Ending the ${name} (process ${pid}) that an earlier run left …`));
  const problem = await checkListen(listen.host, listen.port);
  if (problem !== null) throw new Error(problem);
  ending.defer(() => record.remove());

  const children = new Children(config, record);
  void stop.forced.then(() => children.kill()); // the waits of an orderly stop end with the processes
  ending.defer(() => children.kill());
  children.warmUp();
  const credentials = import('#libs/keys-budgets/index.js'); // a third of a second of loading, while the stores start
  const stores = await startStores({ dataDir, stores: config.boot.stores, onProgress: say });
  ending.defer(() => stores.stop());
  if (stop.isRequested()) return 0;
  const { applied } = await migrate(stores.urls.postgresOwner);
  if (applied.length > 0) say(`Database schema: ${applied.length} migrations applied`);
  const { bootstrap } = await credentials;
  const first = await bootstrap({ urls: stores.urls, dataDir });
  if (stop.isRequested()) return 0;

  say('Starting gateway and worker …');
  ending.defer(() => children.stop());
  const url = await Promise.race([children.start(stores.urls), stop.requested.then(() => null), children.failed]);
  if (url === null) return 0;
  const ready = { url, consoleUrl: `${url}/`, adminToken: first.adminToken.reveal(), key: first.firstKey.reveal() };
  if (readyFile !== null) {
    ending.defer(() => readyFile.remove());
    readyFile.write(ready);
  }
  say(
    banner({
      ...ready,
      version: productVersion(),
      adminLink: `${url}${first.adminLinkPath.reveal()}`,
      stores: Object.values(stores.descriptions),
      dataDir,
      configFile: config.file,
    }),
  );
  const reason = await Promise.race([stop.requested, children.failed, failureOf(stores), ownFault]);
  say(`Stopping (${reason}) …`);
  return 0;
}

/** Rejects when a store has died and could not be brought back. */
function failureOf(stores: RunningStores): Promise<never> {
  return new Promise((_, reject) => {
    stores.onFailure((store, why) => reject(new Error(`${store} has failed and could not be started again: ${why}`)));
  });
}

/** A fault of the supervisor itself still ends everything in order, after the step that is under way. */
function uncaught(): Promise<never> {
  const fault = new Promise<never>((_, reject) => {
    process.on('uncaughtException', reject);
    process.on('unhandledRejection', (reason) => reject(reason instanceof Error ? reason : new Error(String(reason))));
  });
  fault.catch(() => {}); // it may come before anybody waits for it
  return fault;
}
