import type { Connection } from 'mongoose';
import type { Secret } from '#libs/platform/secret.js';
import { addressOf, withoutPassword } from './store-urls.js';

/**
 * A mongoose connection of its own (never the global one). Commands fail at once while the server is away instead of
 * waiting in a buffer. The caller ends it with `close()`. Rejects after 3 s with the server's address.
 */
export async function connectMongo(url: Secret): Promise<Connection> {
  // Only those who use MongoDB pay for its driver: 30 MB of memory that every garbage collection would go through.
  const { default: mongoose } = await import('mongoose');
  const connection = mongoose.createConnection(url.reveal(), {
    serverSelectionTimeoutMS: 3000,
    connectTimeoutMS: 3000,
    socketTimeoutMS: 30_000,
    bufferCommands: false,
    autoIndex: false,
    autoCreate: false,
    maxPoolSize: 10,
    appName: 'smartflow',
  });
  connection.on('error', () => {});
  try {
    return await connection.asPromise();
  } catch (error) {
    await connection.close(true).catch(() => {});
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`MongoDB at ${addressOf(url)} cannot be used: ${withoutPassword(why, url)}`);
  }
}
