import { readFileSync } from 'node:fs';
import { miniWasi } from './mini-wasi.js';
import { encodeCommand, ReplyReader, RespError, type Reply } from './resp.js';
import { webAssembly, type WasmMemory } from './web-assembly.js';

/** Numbers the module was built with: first descriptor of a client, bits of its poll. */
const FIRST_FD = 4096;
const READ = 1;
const WRITE = 2;
/** The engine's timers (expiry, blocked clients) are looked at this often. */
const TICK_MS = 50;
/** A client that sends faster than the engine reads is paused above the first and read again below the second. */
const INBOX_FULL_BYTES = 1 << 20;
const INBOX_LOW_BYTES = 1 << 18;

/** The engine hands out long replies in pieces: after one of this size another may follow. */
const LARGE_WRITE_BYTES = 8192;

/** Where the replies of one client go: a socket, or the host itself. */
export interface ClientSink {
  /** False when its buffer is full; the engine then keeps further replies until `drained`. */
  write(bytes: Buffer): boolean;
  /** The engine ended the connection; what was written must still arrive. */
  close(): void;
  pause(): void;
  resume(): void;
}

/** The engine's side of one client. */
export interface ClientPipe {
  push(bytes: Buffer): void;
  end(): void;
  drained(): void;
}

interface Client {
  readonly sink: ClientSink;
  readonly inbox: Buffer[];
  inboxBytes: number;
  offset: number;
  gone: boolean;
  full: boolean;
  paused: boolean;
}

interface EngineExports {
  readonly memory: WasmMemory;
  _initialize(): void;
  rk_boot(port: number): void;
  rk_step(): void;
}

/**
 * One instance of the Valkey engine (WebAssembly) over one folder. It runs inside our event loop: each event lets it
 * take two steps, the first reads and executes, the second writes the replies. It never opens a port itself.
 */
export class ValkeyEngine {
  readonly #clients = new Map<number, Client>();
  readonly #waiting: number[] = [];
  readonly #onCrash: (error: Error) => void;
  #exports!: EngineExports;
  #listener: number | null = null;
  #nextFd = FIRST_FD;
  #stepping = false;
  #queued = false;
  /** The engine took or gave only a part in this round: it needs another one. */
  #unfinished = false;
  #dead = false;
  #tick: NodeJS.Timeout | null = null;

  private constructor(onCrash: (error: Error) => void) {
    this.#onCrash = onCrash;
  }

  /**
   * Instantiates the module and lets it boot, which loads `dump.rdb`. Rejects when the engine ends itself meanwhile.
   *
   * @param log receives what the engine prints
   * @param onCrash called once when a running engine breaks down
   */
  static async boot(
    wasmFile: string,
    folder: string,
    log: (text: string) => void,
    onCrash: (error: Error) => void,
  ): Promise<ValkeyEngine> {
    const engine = new ValkeyEngine(onCrash);
    const module = await webAssembly.compile(readFileSync(wasmFile));
    const instance = await webAssembly.instantiate(module, {
      wasi_snapshot_preview1: miniWasi(folder, () => engine.#exports.memory, log),
      host: engine.#imports(),
      env: { __c_longjmp: new webAssembly.Tag({ parameters: ['i32'] }) },
    });
    engine.#exports = instance.exports as EngineExports;
    engine.#exports._initialize();
    engine.#exports.rk_boot(6379); // nothing listens on this number: clients come through connect()
    engine.#tick = setInterval(() => engine.#step(), TICK_MS);
    return engine;
  }

  /** Adds a client. */
  connect(sink: ClientSink): ClientPipe {
    const client: Client = { sink, inbox: [], inboxBytes: 0, offset: 0, gone: false, full: false, paused: false };
    const fd = this.#nextFd++;
    this.#clients.set(fd, client);
    this.#waiting.push(fd);
    this.#wake();
    return {
      push: (bytes) => {
        client.inbox.push(bytes);
        client.inboxBytes += bytes.length;
        if (client.inboxBytes > INBOX_FULL_BYTES && !client.paused) {
          client.paused = true;
          sink.pause();
        }
        this.#wake();
      },
      end: () => {
        client.gone = true;
        this.#wake();
      },
      drained: () => {
        client.full = false;
        this.#wake();
      },
    };
  }

  /** A client inside this process, for set-up and snapshots. Error replies reject. */
  localClient(): (...words: string[]) => Promise<Reply> {
    const reader = new ReplyReader();
    const waiting: ((reply: Reply) => void)[] = [];
    const pipe = this.connect({
      write: (bytes) => {
        for (const reply of reader.read(bytes)) waiting.shift()?.(reply);
        return true;
      },
      close: () => {},
      pause: () => {},
      resume: () => {},
    });
    return (...words) =>
      new Promise((resolve, reject) => {
        waiting.push((reply) => (reply instanceof RespError ? reject(reply) : resolve(reply)));
        pipe.push(encodeCommand(words));
      });
  }

  /** Takes no further step; clients are closed. */
  halt(): void {
    this.#dead = true;
    if (this.#tick !== null) clearInterval(this.#tick);
    for (const client of this.#clients.values()) client.sink.close();
    this.#clients.clear();
  }

  #wake(): void {
    if (this.#queued) return;
    this.#queued = true;
    setImmediate(() => {
      this.#queued = false;
      this.#step();
    });
  }

  #step(): void {
    if (this.#dead || this.#stepping) return;
    this.#stepping = true;
    try {
      this.#unfinished = false;
      this.#exports.rk_step();
      this.#exports.rk_step();
      if (this.#unfinished) this.#wake();
    } catch (error) {
      this.halt();
      this.#onCrash(error as Error);
    } finally {
      this.#stepping = false;
    }
  }

  #imports(): Record<string, unknown> {
    const memory = (): Buffer => Buffer.from(this.#exports.memory.buffer);
    return {
      socket: () => this.#nextFd++,
      listen: (fd: number) => {
        this.#listener = fd;
        return 0;
      },
      accept: () => this.#waiting.shift() ?? -1,
      read: (fd: number, at: number, length: number) => this.#read(fd, memory().subarray(at, at + length)),
      write: (fd: number, at: number, length: number) => {
        const client = this.#clients.get(fd);
        if (client === undefined || client.gone) return -1;
        client.full = !client.sink.write(Buffer.from(memory().subarray(at, at + length)));
        if (length >= LARGE_WRITE_BYTES) this.#unfinished = true;
        return length;
      },
      close: (fd: number) => {
        const client = this.#clients.get(fd);
        this.#clients.delete(fd);
        client?.sink.close();
      },
      poll: (asked: number, count: number, answers: number, most: number) => {
        const bytes = memory();
        let n = 0;
        for (let i = 0; i < count && n < most; i++) {
          const fd = bytes.readInt32LE(asked + 8 * i);
          const ready = this.#readiness(fd, bytes.readInt32LE(asked + 8 * i + 4));
          if (ready === 0) continue;
          bytes.writeInt32LE(fd, answers + 8 * n);
          bytes.writeInt32LE(ready, answers + 8 * n + 4);
          n++;
        }
        return n;
      },
    };
  }

  #readiness(fd: number, wanted: number): number {
    if (fd === this.#listener) return this.#waiting.length > 0 ? wanted & READ : 0;
    const client = this.#clients.get(fd);
    if (client === undefined) return 0;
    const readable = client.inbox.length > 0 || client.gone;
    return (readable ? wanted & READ : 0) | (client.full ? 0 : wanted & WRITE);
  }

  /** Moves received bytes into the engine's buffer. 0: the client left. -1: nothing there now. */
  #read(fd: number, target: Buffer): number {
    const client = this.#clients.get(fd);
    if (client === undefined) return -1;
    if (client.inbox.length === 0) return client.gone ? 0 : -1;
    let moved = 0;
    while (moved < target.length && client.inbox.length > 0) {
      const first = client.inbox[0] as Buffer;
      const copied = first.copy(target, moved, client.offset);
      moved += copied;
      client.offset += copied;
      if (client.offset === first.length) {
        client.inbox.shift();
        client.offset = 0;
      }
    }
    client.inboxBytes -= moved;
    if (client.inbox.length > 0) this.#unfinished = true;
    if (client.paused && client.inboxBytes < INBOX_LOW_BYTES) {
      client.paused = false;
      client.sink.resume();
    }
    return moved;
  }
}
