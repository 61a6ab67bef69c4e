export { bundledPriceTable, PriceTable, type PricedProvider } from './price-table.js';
export type { EstimateReason } from './applied-rates.js';
export { isFreeOperation } from './free-operations.js';
export { isPriced } from './is-priced.js';
export { listedPrices, type ListedPrice } from './listed-prices.js';
export { type CallPrice, priceCall, type PriceComponent, type PricePart, type PriceRequest } from './price-call.js';
export type { PriceTableData } from './table-data.js';
export { usdToPicos } from './units.js';
export {
  affordableTokens,
  type BoundRefusal,
  type BoundRequest,
  costOfTokens,
  upperBound,
  type UpperBound,
} from './upper-bound.js';
