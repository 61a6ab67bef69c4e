export {
  DEFAULT_ORG_ID,
  type DocumentBody,
  type DocumentKind,
  type DocumentRef,
  type RegistryDocument,
} from './document.js';
export { answerVersion } from './http/answer-version.js';
export { openRegistry, type OpenRegistryOptions, type Registry } from './open-registry.js';
export { PollingRegistryFeed, type FeedEvent, type FeedHealth, type RegistryFeed } from './registry-feed.js';
export { REGISTRY_FEED, RegistryModule } from './registry.module.js';
export { RegistryState } from './registry-state.js';
export { RegistryWriter, type Applied } from './registry-writer.js';
export { answered } from './store/answered.postgres.js';
export { appendAudit, verifyAudit, type AuditVerdict } from './store/audit-log.postgres.js';
export type { AuditEntry, AuditOrigin } from './store/audit-record.js';
export type { RegistryMirror } from './store/registry-mirror.js';
export { RedisRegistryMirror } from './store/registry-mirror.redis.js';
export { RedisRegistryHints } from './store/registry-hints.redis.js';
export type { AuditedChange, DocumentContent, RegistryStore } from './store/registry-store.js';
export { PostgresRegistryStore } from './store/registry.postgres.js';
