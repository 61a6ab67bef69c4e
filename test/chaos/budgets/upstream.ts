// The fake upstream: what it served is the truth, whoever is still there to hear the answer.
import net from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Served {
  cost: number;
  bound: number;
  readonly fields: readonly string[];
  readonly processId: string;
}

interface Message {
  readonly id: string;
  readonly bound: number;
  readonly fields?: readonly string[];
  readonly process?: string;
}

export class FakeUpstream {
  readonly served = new Map<string, Served>();
  /** `org field` → what was truly spent. */
  readonly spent = new Map<string, number>();
  readonly #random: (below?: number) => number;
  readonly #limitOf: (name: string) => number;
  readonly #bad: (what: string, details: object) => void;
  readonly #answered = new Set<string>();
  readonly #server = net.createServer((socket) => this.#serve(socket));

  constructor(
    random: (below?: number) => number,
    limitOf: (name: string) => number,
    bad: (what: string, details: object) => void,
  ) {
    this.#random = random;
    this.#limitOf = limitOf;
    this.#bad = bad;
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: net.Socket): void {
    let rest = '';
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#call(JSON.parse(line) as Message, socket);
    });
  }

  #call({ id, bound, fields, process }: Message, socket: net.Socket): void {
    if (fields === undefined) return this.#goOn(id, bound);
    const cost = this.#random() < 0.1 ? bound : this.#random() < 0.05 ? 0 : Math.floor(bound * this.#random() ** 1.5);
    if (this.served.has(id)) this.#bad('served twice', { id });
    this.served.set(id, { cost, bound, fields, processId: process ?? '' });
    this.#spend(fields, cost);
    const afterMs = this.#random() < 0.03 ? 300 + this.#random(1500) : 2 + this.#random(40);
    setTimeout(() => {
      this.#answered.add(id);
      socket.write(JSON.stringify({ id, cost: this.served.get(id)?.cost }) + '\n');
    }, afterMs);
  }

  /** The stream goes on within a larger bound. */
  #goOn(id: string, bound: number): void {
    const call = this.served.get(id);
    if (call === undefined || this.#answered.has(id)) return;
    const more = Math.floor(this.#random(bound - call.bound + 1));
    call.bound = bound;
    call.cost += more;
    this.#spend(call.fields, more);
  }

  /** Checked at every call: true costs never pass a cap. */
  #spend(fields: readonly string[], cost: number): void {
    for (const name of fields) {
      const spent = (this.spent.get(name) ?? 0) + cost;
      this.spent.set(name, spent);
      if (spent > this.#limitOf(name)) this.#bad('cap passed', { name, spent, limit: this.#limitOf(name) });
    }
  }
}
