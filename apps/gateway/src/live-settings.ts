import { watchConfig, type ConfigWatch, type LiveConfig, type SmartflowConfig } from '#libs/platform/config.js';
import type { Logger } from '#libs/platform/logger.js';

/**
 * The settings that change without a restart. A changed file is offered to every listener; when one of them throws, the
 * change is refused as a whole and the settings in force stay (`watchConfig` says so in the log).
 */
export class LiveSettings {
  #config: SmartflowConfig;
  readonly #listeners = new Set<(live: LiveConfig) => void>();
  #watch: ConfigWatch | null = null;

  constructor(config: SmartflowConfig) {
    this.#config = config;
  }

  /** The configuration in force, with the boot settings the process began with. */
  get config(): SmartflowConfig {
    return this.#config;
  }

  get live(): LiveConfig {
    return this.#config.live;
  }

  /** Called with each new version before it counts; throwing refuses it. */
  subscribe(listener: (live: LiveConfig) => void): void {
    this.#listeners.add(listener);
  }

  /** Begins to follow the file; without one there is nothing to follow. */
  follow(log: Logger): void {
    const { file } = this.#config;
    if (file === null) return;
    this.#watch = watchConfig(
      file,
      {
        onChange: (config) => {
          for (const listener of this.#listeners) listener(config.live);
          this.#config = config;
          log.info({ warnings: config.warnings }, 'the changed configuration file is in force');
        },
        onRefused: (faults) =>
          log.error({ faults }, 'the changed configuration file is refused; the last good one stays in force'),
      },
      { current: this.#config },
    );
  }

  stop(): void {
    this.#watch?.stop();
  }
}

/** Nest token of the {@link LiveSettings}. */
export const LIVE_SETTINGS = Symbol('LIVE_SETTINGS');
