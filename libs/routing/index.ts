// The entry of routing: from a model name to the upstream that serves it.
export { betaHeader, ModelIndex, type ModelCatalogue, type Target } from './model-index.js';
