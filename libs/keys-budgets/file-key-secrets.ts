import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FileKeyConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { isWellFormed, makeCredential } from './credential.js';

/** A key of the file with its secret, the given one or the one made for it. */
export interface ResolvedFileKey {
  readonly key: FileKeyConfig;
  readonly secret: Secret;
}

const FILE = 'file-keys.json';

/**
 * Secrets for keys that the file declares without one (`key: ""`): made once per name and kept in `file-keys.json` (0600) in
 * the data folder. A name that leaves the file keeps its secret, so that it is the same when it comes back.
 * Instances with different data folders make different ones: a cluster gives its keys in the file.
 */
export class FileKeySecrets {
  constructor(private readonly dataDir: string) {}

  /** Throws when the file is damaged or cannot be written: an unknown new secret for a known name would lock callers out. */
  resolve(keys: readonly FileKeyConfig[]): readonly ResolvedFileKey[] {
    if (keys.every((key) => key.secret !== null)) {
      return keys.map((key) => ({ key, secret: key.secret as Secret }));
    }
    const kept = this.read();
    let grown = false;
    const resolved = keys.map((key) => {
      if (key.secret !== null) return { key, secret: key.secret };
      let secret = kept.get(key.name);
      if (secret === undefined) {
        secret = makeCredential('sk-sf-').secret;
        kept.set(key.name, secret);
        grown = true;
      }
      return { key, secret };
    });
    if (grown) this.write(kept);
    return resolved;
  }

  private get file(): string {
    return path.join(this.dataDir, FILE);
  }

  private read(): Map<string, Secret> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    try {
      const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
      return new Map(entries.map(([name, secret]) => [name, checked(secret)]));
    } catch {
      throw new Error(`${this.file} is damaged: restore it, or remove it to have new secrets made`);
    }
  }

  private write(secrets: ReadonlyMap<string, Secret>): void {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 });
    const shown = Object.fromEntries([...secrets].map(([name, secret]) => [name, secret.reveal()]));
    writeFileSync(`${this.file}.new`, `${JSON.stringify(shown, null, 2)}\n`, { mode: 0o600, flush: true });
    chmodSync(`${this.file}.new`, 0o600); // an older file of that name keeps its mode otherwise
    renameSync(`${this.file}.new`, this.file);
  }
}

function checked(secret: unknown): Secret {
  if (typeof secret !== 'string' || !isWellFormed('sk-sf-', secret)) throw new Error('not a key');
  return new Secret(secret);
}
