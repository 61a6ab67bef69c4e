export { bundledPriceTable, PriceTable, type PricedProvider } from './price-table.js';
export {
  type CallPrice,
  type MediaTokens,
  priceCall,
  type PriceComponent,
  type PriceFactor,
  type PricePart,
  type PriceRequest,
} from './price-call.js';
export type { PriceTableData } from './table-data.js';
export { usdToPicos } from './units.js';
