export { ALERT_EVENTS, type Alert, type AlertEvent, type AlertKind } from './alert.js';
export { AlertQueue } from './alert-queue.js';
export { AlertsModule, type AlertsModuleOptions } from './alerts.module.js';
export { deliverAlerts, type AlertDelivery, type WebhookDirectory, type WebhookTarget } from './deliver-alerts.js';
export { keepLooking, type Look } from './keep-looking.js';
export { PostgresAlertOutbox } from './store/alert-outbox.postgres.js';
export type { AlertOutbox } from './store/alert-outbox.js';
export { refusedAlert, type AlertedBudget, type UnpricedModel } from './texts.js';
export {
  SpendWatch,
  type BudgetDirectory,
  type SpendSource,
  type SpentInPeriod,
  type WatchedBudget,
} from './watch-spend.js';
export { StoreWatch } from './watch-stores.js';
export { RegistryWebhooks } from './webhook-directory.js';
export { readWebhookPepper } from './webhook-pepper.js';
