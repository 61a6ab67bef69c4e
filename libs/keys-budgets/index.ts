export { compileKeys, MAX_KEY_LENGTH, MIN_KEY_LENGTH, type KeyIndex, type KeyRecord } from './key-index.js';
export { FileKeySecrets, type ResolvedFileKey } from './file-key-secrets.js';
