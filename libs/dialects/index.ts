export type { TokenUsage } from './usage.js';
