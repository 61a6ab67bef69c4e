// A process of its own that owns embedded stores, to be killed by the contract tests. Started by stores-process.ts;
// prints one line of JSON once the servers run, or the error.
import { startEmbeddedPostgres } from '../../libs/stores/embedded-postgres/launch.js';
import { startEmbeddedRedis } from '../../libs/stores/embedded-valkey/launch.js';
import { startStores } from '../../libs/stores/start-stores.js';

const [what, folder, searchPath] = process.argv.slice(2) as [string, string, string?];

async function run(): Promise<object> {
  if (what === 'stores') {
    const stores = await startStores({
      dataDir: folder,
      stores: { postgres: 'bundled', redis: 'bundled', mongodb: null },
    });
    process.once('SIGTERM', () => void stores.stop().then(() => process.exit(0)));
    return { postgres: stores.urls.postgresOwner.reveal(), redis: stores.urls.redis.reveal() };
  }
  if (what === 'postgres') {
    const { pid, how, urls } = await startEmbeddedPostgres({
      folder,
      wanted: 'bundled',
      durable: false,
      lockWaitMs: 0,
    });
    return { pid, how, url: urls.owner.reveal() };
  }
  const server = await startEmbeddedRedis({
    folder,
    wanted: searchPath ? 'embedded' : 'bundled',
    ...(searchPath ? { searchPath } : {}),
    saveIntervalMs: 60_000,
    lockWaitMs: 0,
  });
  return { pid: server.pid, how: server.engine, url: server.url.reveal() };
}

try {
  console.log(JSON.stringify(await run()));
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
  process.exit(1);
}
setInterval(() => {}, 60_000);
