import { watchConfig, type ConfigWatch, type SmartflowConfig } from '#libs/platform/config.js';
import { createLogger } from '#libs/platform/logger.js';
import type { StoreUrls } from '#libs/stores/index.js';
import { listenProblem } from './listen-check.js';
import type { Boot, ChildName } from './messages.js';
import type { RunRecord } from './run-record.js';
import { ChildFailed, SupervisedChild } from './supervised-child.js';

/** The gateway bounds its drain by `drain_ms`; so much more and it is ended. */
const AFTER_DRAIN_MS = 10_000;
/** The worker writes what is left in the stream. */
const WORKER_STOP_MS = 20_000;

/** The gateway and the worker: started together, kept alive, stopped in order. */
export class Children {
  /** Rejects when one of them cannot be kept alive. */
  readonly failed: Promise<never>;
  readonly #gateway: SupervisedChild;
  readonly #worker: SupervisedChild;
  #config: SmartflowConfig;
  #watch: ConfigWatch | null = null;

  constructor(config: SmartflowConfig, record: RunRecord) {
    this.#config = config;
    const log = createLogger({ level: config.boot.logLevel, name: 'supervisor' });
    let give: (failure: Error) => void = () => {};
    this.failed = new Promise((_, reject) => (give = reject));
    this.failed.catch(() => {}); // it may reject while nobody waits for it yet
    const make = (name: ChildName): SupervisedChild =>
      new SupervisedChild(name, {
        log: (level, text) => log[level]({ child: name }, text),
        onSpawn: (pid) => record.note(name, pid),
        onGiveUp: ({ message }) => give(new Error(`the ${name} cannot be kept running: ${message}`)),
      });
    this.#gateway = make('gateway');
    this.#worker = make('worker');
  }

  /** Lets both load their code while the stores start. */
  warmUp(): void {
    this.#gateway.warmUp();
    this.#worker.warmUp();
  }

  /** Resolves with the gateway's address once both serve; rejects with a sentence for the user. */
  async start(urls: StoreUrls): Promise<string> {
    const { listen } = this.#config.boot;
    try {
      const boot: Boot = { config: this.#config, urls };
      const [url] = await Promise.all([this.#gateway.start(boot), this.#worker.start(boot)]);
      if (url === null) throw new Error('the gateway told no address');
      this.#follow(urls, Number(new URL(url).port || 80));
      return url.replace(/\/$/, '');
    } catch (error) {
      if (!(error instanceof ChildFailed)) throw error;
      throw new Error(
        listenProblem(error.code, listen.host, listen.port) ?? `the ${error.child} did not start: ${error.message}`,
      );
    }
  }

  /**
   * What a child is started again with: a port chosen by the system stays the same, and the settings are the last good ones
   * even when the file is faulty by then. The children follow the file themselves and report what is wrong with it.
   */
  #follow(urls: StoreUrls, port: number): void {
    const { boot } = this.#config;
    const apply = (config: SmartflowConfig): void => {
      const next: Boot = { config: { ...config, boot: { ...boot, listen: { ...boot.listen, port } } }, urls };
      this.#gateway.replaceBoot(next);
      this.#worker.replaceBoot(next);
    };
    apply(this.#config);
    if (this.#config.file === null) return;
    this.#watch = watchConfig(this.#config.file, { onChange: apply, onRefused: () => {} }, { current: this.#config });
  }

  /** First the gateway, which takes no new calls and finishes the running ones; then the worker, which stores their rows. */
  async stop(): Promise<void> {
    this.#watch?.stop();
    await this.#gateway.stop(this.#config.boot.drainMs + AFTER_DRAIN_MS);
    await this.#worker.stop(WORKER_STOP_MS);
  }

  /** Ends both at once; for a start that failed before they served, and for the impatient. */
  async kill(): Promise<void> {
    await Promise.all([this.#gateway.kill(), this.#worker.kill()]);
  }
}
