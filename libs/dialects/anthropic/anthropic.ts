import type { Dialect } from '../dialect.js';
import { renderAnthropicError, renderAnthropicStreamError } from './errors.js';
import { renderAnthropicModel, renderAnthropicModels } from './models.js';
import { anthropicRateHeaders } from './rate-headers.js';
import { anthropicEnding } from './stream.js';
import { anthropicHasFinalUsage, anthropicUsageOfBody, anthropicUsageOfRaw, anthropicUsageOfStream } from './usage.js';

export const anthropic: Dialect = {
  name: 'anthropic',
  renderError: renderAnthropicError,
  rateHeaders: anthropicRateHeaders,
  renderStreamError: renderAnthropicStreamError,
  endingOf: anthropicEnding,
  usageOfBody: anthropicUsageOfBody,
  usageOfStream: anthropicUsageOfStream,
  hasFinalUsage: anthropicHasFinalUsage,
  usageOfRaw: anthropicUsageOfRaw,
  tierHeader: null,
  billedMark: null,
  renderModels: renderAnthropicModels,
  renderModel: renderAnthropicModel,
};
