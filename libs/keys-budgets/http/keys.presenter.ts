import type { KeySettings, KeyView } from '../key-admin.js';
import type { CreateKeyDto, KeyDto, UpdateKeyDto } from './keys.dto.js';

/** A moment on the wire. */
export function toInstant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export function toKeyDto(view: KeyView): KeyDto {
  return {
    id: view.id,
    name: view.name,
    key_hint: view.hint,
    team: view.team,
    models: view.models,
    routes: view.routes,
    tags: view.tags,
    expires_at: toInstant(view.expiresAtMs),
    metadata: view.metadata,
    status: view.status,
    source: view.source,
    version: view.version,
    created_at: toInstant(view.createdAtMs),
    updated_at: toInstant(view.updatedAtMs),
    revoked_at: toInstant(view.revokedAtMs),
  };
}

export function toSettings(dto: CreateKeyDto): KeySettings {
  return {
    name: dto.name,
    team: dto.team ?? null,
    models: dto.models ?? ['*'],
    routes: dto.routes ?? ['*'],
    tags: dto.tags ?? [],
    expiresAtMs: dto.expires_at == null ? null : Date.parse(dto.expires_at),
    metadata: { ...dto.metadata },
  };
}

/** Only what was given: a declared field of a DTO exists even when it was absent from the body. */
export function toChanges(dto: UpdateKeyDto): Partial<KeySettings> {
  const { name, team, models, routes, tags, metadata } = dto;
  return {
    ...(name === undefined ? {} : { name }),
    ...(team === undefined ? {} : { team }),
    ...(models === undefined ? {} : { models }),
    ...(routes === undefined ? {} : { routes }),
    ...(tags === undefined ? {} : { tags }),
    ...(dto.expires_at === undefined
      ? {}
      : { expiresAtMs: dto.expires_at === null ? null : Date.parse(dto.expires_at) }),
    ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
  };
}
