import net from 'node:net';

/** A host of `listen` as a client on this machine writes it in a URL. */
export function addressInUrl(host: string): string {
  const reachable = host === '0.0.0.0' || host === '::' || host === '' ? '127.0.0.1' : host;
  return reachable.includes(':') ? `[${reachable}]` : reachable;
}

/** What to tell the user about an address that cannot be listened on; `null` for errors that are about something else. */
export function listenProblem(code: string | null | undefined, host: string, port: number): string | null {
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const change = 'Choose another with "listen" in the configuration file or SMARTFLOW_PORT (0 = any free port).';
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken: another program listens on ${at}. ${change}`;
    case 'EACCES':
      return `Port ${port} may not be used by this account. ${change}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `The address ${host} of "listen" does not belong to this machine. ${change}`;
    default:
      return null;
  }
}

/**
 * Says before anything is started that the gateway will not be able to listen; `null` when it can (or when only the gateway
 * itself will know). The port is free again on return.
 */
export async function checkListen(host: string, port: number): Promise<string | null> {
  if (port === 0) return null;
  const server = net.createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve));
    return null;
  } catch (error) {
    return listenProblem((error as NodeJS.ErrnoException).code, host, port);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
