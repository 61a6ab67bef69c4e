import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from '#libs/platform/logger.js';
import { LIVE_SETTINGS, type LiveSettings } from './live-settings.js';
import { LOGGER } from './tokens.js';

/** What belongs to the process as a whole, for every module: its log and its settings. */
@Module({})
export class ProcessModule {
  static forRoot(settings: LiveSettings, log: Logger): DynamicModule {
    return {
      module: ProcessModule,
      global: true,
      providers: [
        { provide: LOGGER, useValue: log },
        { provide: LIVE_SETTINGS, useValue: settings },
      ],
      exports: [LOGGER, LIVE_SETTINGS],
    };
  }
}
