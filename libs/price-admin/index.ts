export { OverrideCompiler, type PriceOverrides } from './override-compiler.js';
export { loadOverrides } from './load-overrides.js';
export {
  filePriceId,
  PriceAdmin,
  type ModelPriceView,
  type OverrideView,
  type PriceSources,
  type PriceWish,
} from './price-admin.js';
export { PriceAdminModule } from './price-admin.module.js';
