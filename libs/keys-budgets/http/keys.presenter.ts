import { nanosToUsdText } from '#libs/platform/money.js';
import type { KeySettings } from '../key-settings.js';
import type { KeyUse, KeyView } from '../key-view.js';
import { toBudgetDtos, toBudgets, toLimits, toLimitsDto } from './governance.dto.js';
import type { CreateKeyDto, KeyDto, UpdateKeyDto } from './keys.dto.js';

/** A moment on the wire. */
export function toInstant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** @param use `undefined`: the key was never used, or nobody could say */
export function toKeyDto(view: KeyView, use: KeyUse | undefined): KeyDto {
  return {
    id: view.id,
    name: view.name,
    key_hint: view.hint,
    team: view.team,
    user: view.user,
    app: view.app,
    models: view.models,
    routes: view.routes,
    tags: view.tags,
    budgets: toBudgetDtos(view.budgets),
    limits: toLimitsDto(view.limits),
    expires_at: toInstant(view.expiresAtMs),
    metadata: view.metadata,
    chain: view.chain,
    status: view.status,
    problem: view.problem,
    blocked_reason: view.blocked?.reason ?? null,
    source: view.source,
    version: view.version,
    created_at: toInstant(view.createdAtMs),
    updated_at: toInstant(view.updatedAtMs),
    blocked_at: toInstant(view.blocked?.atMs ?? null),
    revoked_at: toInstant(view.revokedAtMs),
    rotated_at: toInstant(view.rotatedAtMs),
    previous_key_until: toInstant(view.previousUntilMs),
    created_by: view.createdBy?.id ?? null,
    last_used_at: toInstant(use?.lastUsedAtMs ?? null),
    spent_usd: use?.spentNanos == null ? null : nanosToUsdText(use.spentNanos),
  };
}

export function toSettings(dto: CreateKeyDto): KeySettings {
  return {
    name: dto.name,
    team: dto.team ?? null,
    user: dto.user ?? null,
    app: dto.app ?? null,
    models: dto.models ?? ['*'],
    routes: dto.routes ?? ['*'],
    tags: dto.tags ?? [],
    budgets: toBudgets(dto.budgets ?? []),
    limits: toLimits(dto.limits ?? null),
    expiresAtMs: dto.expires_at == null ? null : Date.parse(dto.expires_at),
    metadata: { ...dto.metadata },
    chain: dto.chain ?? null,
  };
}

/** Only what was given: a declared field of a DTO exists even when it was absent from the body. */
export function toChanges(dto: UpdateKeyDto): Partial<KeySettings> {
  const { name, team, user, app, models, routes, tags, budgets, limits, metadata, chain } = dto;
  return {
    ...(name === undefined ? {} : { name }),
    ...(team === undefined ? {} : { team }),
    ...(user === undefined ? {} : { user }),
    ...(app === undefined ? {} : { app }),
    ...(models === undefined ? {} : { models }),
    ...(routes === undefined ? {} : { routes }),
    ...(tags === undefined ? {} : { tags }),
    ...(budgets === undefined ? {} : { budgets: toBudgets(budgets) }),
    ...(limits === undefined ? {} : { limits: toLimits(limits) }),
    ...(dto.expires_at === undefined
      ? {}
      : { expiresAtMs: dto.expires_at === null ? null : Date.parse(dto.expires_at) }),
    ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
    ...(chain === undefined ? {} : { chain }),
  };
}
