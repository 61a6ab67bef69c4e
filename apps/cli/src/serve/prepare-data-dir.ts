import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { FolderInUseError, lockFolder, type FolderLock } from '#libs/stores/index.js';

/** A supervisor that is just ending gets so long to let go of the folder. */
const LOCK_WAIT_MS = 2_000;

/**
 * Creates the data folder where needed and makes this process its only owner. Throws with a sentence naming the setting when
 * it cannot be written or another instance runs on it.
 */
export async function takeDataDir(dataDir: string): Promise<FolderLock> {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(
      `the data folder ${dataDir} ("data_dir", SMARTFLOW_DATA_DIR) cannot be used: ${(error as Error).message}`,
    );
  }
  try {
    return await lockFolder(path.join(dataDir, 'supervisor'), LOCK_WAIT_MS);
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw error;
    const owner = error.pid === null ? '' : ` (process ${error.pid})`;
    throw new Error(
      `another Smartflow${owner} runs on the data folder ${dataDir}. Stop it, or give this one a folder of its own ` +
        `with "data_dir" or SMARTFLOW_DATA_DIR`,
    );
  }
}
