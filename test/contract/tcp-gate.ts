// A TCP relay in front of a store: breaks connections, loses answers and holds requests back at an exact point.
import net from 'node:net';

type OnMatch = 'lose the answer' | 'hold';

interface Trap {
  readonly pattern: string;
  readonly then: OnMatch;
  readonly sprung: () => void;
}

export class TcpGate {
  readonly #server: net.Server;
  readonly #pairs = new Set<readonly [client: net.Socket, store: net.Socket]>();
  #trap: Trap | null = null;
  #refuses = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = net.createServer({ noDelay: true }, (client) => {
      if (this.#refuses) {
        client.destroy();
        return;
      }
      const store = net.connect({ ...target, noDelay: true });
      this.#join(client, store);
    });
  }

  /** A gate on a free port of this machine. `url` is the store's; host and port are taken from it. */
  static async before(url: string): Promise<{ gate: TcpGate; url: string }> {
    const parsed = new URL(url);
    const gate = new TcpGate({ host: parsed.hostname, port: Number(parsed.port) });
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    parsed.host = `127.0.0.1:${(gate.#server.address() as net.AddressInfo).port}`;
    return { gate, url: parsed.href };
  }

  /** Ends every connection; new ones go through. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** The store is away: every connection ends, new ones are refused until `open()`. */
  shut(): void {
    this.#refuses = true;
    this.cut();
  }

  open(): void {
    this.#refuses = false;
  }

  /**
   * Waits for the first request that contains `pattern`. `lose the answer`: the store gets it, the connection ends instead
   * of the answer. `hold`: the store never gets it, the client never hears of it. Resolves when it has happened.
   */
  trap(pattern: string, then: OnMatch): Promise<void> {
    return new Promise((resolve) => {
      this.#trap = { pattern, then, sprung: resolve };
    });
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: net.Socket, store: net.Socket): void {
    const pair = [client, store] as const;
    this.#pairs.add(pair);
    let loses: Trap | null = null;
    let holds = false;
    client.on('data', (chunk) => {
      if (holds) return;
      const trap = this.#trap;
      if (trap !== null && chunk.includes(trap.pattern)) {
        this.#trap = null;
        if (trap.then === 'hold') {
          holds = true;
          trap.sprung();
          return;
        }
        loses = trap;
      }
      store.write(chunk);
    });
    store.on('data', (chunk) => {
      if (loses === null) {
        client.write(chunk);
        return;
      }
      client.destroy();
      store.destroy();
      loses.sprung();
    });
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        client.destroy();
        store.destroy();
      });
    }
  }
}
