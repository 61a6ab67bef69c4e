// One set-up at a time per clone: a lock file that names its owner, with a heartbeat, a take-over and a deadline.
import {
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';

const HEARTBEAT_MS = 2_000;
const SILENT_MS = 60_000; // a heartbeat older than this: the owner is gone or stopped
const GIVE_UP_MS = 15 * 60_000;

function runs(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // another account's process
  }
}

function look(file) {
  try {
    return { owner: JSON.parse(readFileSync(file, 'utf8')), ageMs: Date.now() - statSync(file).mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    return { owner: {}, ageMs: ageOf(file) }; // being written at this moment, or left broken
  }
}

function ageOf(file) {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

/** An orphaned installer (its starter was killed) still counts as the owner: two installers at once would break each other. */
function isAbandoned({ owner, ageMs }) {
  if (ageMs > 10 * SILENT_MS) return true;
  if (owner.pid === undefined || owner.host !== os.hostname()) return ageMs > SILENT_MS;
  return !runs(owner.tool) && (!runs(owner.pid) || ageMs > SILENT_MS);
}

function removeAbandoned(file, seen) {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // somebody else was faster
  }
  try {
    // Was it the abandoned one that was moved, or one made in the meantime? The latter goes back.
    if (seen.token !== undefined && JSON.parse(readFileSync(aside, 'utf8')).token !== seen.token) linkSync(aside, file);
  } catch {
    // unreadable, hence abandoned; or a third one is there already
  }
  unlinkSync(aside);
}

/**
 * Takes the lock, waiting for another owner at most 15 minutes; `onWait(pid)` is called once when there is one.
 * Returns { setTool(pid | null), release() }: `setTool` names the process that does the work, so that it is waited for
 * even when this script is killed.
 */
export async function takeLock(file, onWait) {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine = { pid: process.pid, host: os.hostname(), token: randomUUID(), tool: null };
  const deadline = Date.now() + GIVE_UP_MS;
  for (let waited = false; ;) {
    try {
      const handle = openSync(file, 'wx', 0o644);
      writeFileSync(handle, JSON.stringify(mine));
      closeSync(handle);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const seen = look(file);
    if (seen !== null && isAbandoned(seen)) removeAbandoned(file, seen.owner);
    else if (seen !== null) {
      if (!waited) onWait(seen.owner.pid);
      waited = true;
      if (Date.now() > deadline) {
        throw new Error(
          `another set-up (process ${seen.owner.pid}) has not finished in 15 minutes; if it does not run any more, delete ${file}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const beat = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date());
    } catch {
      // the folder was removed; nothing depends on the heartbeat any more
    }
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    setTool(pid) {
      mine.tool = pid;
      writeFileSync(file, JSON.stringify(mine));
    },
    release() {
      clearInterval(beat);
      try {
        if (JSON.parse(readFileSync(file, 'utf8')).token === mine.token) unlinkSync(file);
      } catch {
        // taken over or gone
      }
    },
  };
}
