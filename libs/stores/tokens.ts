/** Nest tokens of what `StoresModule` provides. */
export const POSTGRES = Symbol('POSTGRES');
export const REDIS = Symbol('REDIS');
export const MONGO = Symbol('MONGO');
export const STORE_URLS = Symbol('STORE_URLS');
