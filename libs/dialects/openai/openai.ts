import type { Dialect } from '../dialect.js';
import { renderOpenAiError, renderOpenAiStreamError } from './errors.js';
import { renderOpenAiModel, renderOpenAiModels } from './models.js';
import { openAiRateHeaders } from './rate-headers.js';
import { openAiEnding } from './stream.js';
import { openAiUsageOfBody, openAiUsageOfRaw, openAiUsageOfStream } from './usage.js';

export const openai: Dialect = {
  name: 'openai',
  renderError: renderOpenAiError,
  rateHeaders: openAiRateHeaders,
  renderStreamError: renderOpenAiStreamError,
  endingOf: openAiEnding,
  usageOfBody: openAiUsageOfBody,
  usageOfStream: openAiUsageOfStream,
  hasFinalUsage: () => true,
  usageOfRaw: openAiUsageOfRaw,
  tierHeader: null,
  billedMark: null,
  renderModels: renderOpenAiModels,
  renderModel: renderOpenAiModel,
};
