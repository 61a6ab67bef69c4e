import { isIP } from 'node:net';

/**
 * Reads `:8080` (all IPv4 interfaces), `127.0.0.1:8080`, `localhost:8080` or `[::]:8080` (all interfaces of both
 * families). Port 0 stands for any free one. `null` when the text is none of these.
 */
export function parseListen(text: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([^\]]*)\]|([^[\]:]*)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  const host = bracketed ?? (plain === '' ? '0.0.0.0' : plain) ?? '';
  const fits = bracketed === undefined ? isListenHost(host) : isIP(bracketed) === 6;
  return fits && port <= 65_535 ? { host, port } : null;
}

/** An IP address or a host name. */
export function isListenHost(host: string): boolean {
  return isIP(host) !== 0 || (/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$/.test(host) && !/^[\d.]+$/.test(host));
}
