// A worker in a process of its own, to be killed: node --import ./run-typescript.mjs worker-process.ts '<urls as JSON>'
import { Secret } from '#libs/platform/secret.js';
import { startWorker } from '../../apps/worker/src/main.js';
import { defaultConfig, listeningLogger } from './ledger-rig.js';

const [postgres, redis] = JSON.parse(process.argv[2] as string) as [string, string];
const owner = new Secret(postgres);
await startWorker(
  defaultConfig(),
  { postgres: owner, postgresOwner: owner, redis: new Secret(redis), mongodb: null },
  { logger: listeningLogger().logger, deadAfterMs: 500 },
);
process.send?.('ready');
process.on('disconnect', () => process.exit(0)); // never outlives the test
