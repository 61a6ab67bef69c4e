import { GoogleGenAI } from '@google/genai';

const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
type Globals = Record<symbol, unknown>;

/**
 * The official Google SDK without its own retries. It looks for Node's HTTP client at a global symbol, which jest's sandbox
 * does not have: that is taken from outside.
 * @param baseUrl to which it adds `/v1beta/…`
 */
export function googleSdk(baseUrl: string, apiKey: string): GoogleGenAI {
  const outside = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Globals;
  (globalThis as unknown as Globals)[DISPATCHER] = outside[DISPATCHER];
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl, retryOptions: { attempts: 1 } } });
}
