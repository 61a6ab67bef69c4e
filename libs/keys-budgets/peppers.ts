import { createSecretKey, type KeyObject } from 'node:crypto';
import { clusterSecret } from '#libs/stores/index.js';

/** One secret serves one purpose: each kind of credential has a pepper of its own, equal in the whole cluster. */
const NAMES = {
  key: 'key-pepper',
  token: 'admin-token-pepper',
  session: 'admin-session-pepper',
  link: 'admin-link-pepper',
} as const;

export type PepperPurpose = keyof typeof NAMES;

/** The pepper for digests of one kind of credential; made by the first instance that asks. Needs PostgreSQL. */
export async function readPepper(
  postgres: Parameters<typeof clusterSecret>[0],
  purpose: PepperPurpose,
): Promise<KeyObject> {
  return createSecretKey(await clusterSecret(postgres, NAMES[purpose]));
}
