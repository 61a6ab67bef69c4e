import { weekdayNumber } from '#libs/platform/config.js';
import type { OrgSettingsWish, OrgView, OwnerSettings, OwnerView } from '../owner-view.js';
import { toBudgetDtos, toBudgets, toLimits, toLimitsDto, weekdayName } from './governance.dto.js';
import { toInstant } from './keys.presenter.js';
import type { CreateOwnerDto, OrgDto, OwnerDto, UpdateOrgDto, UpdateOwnerDto } from './owners.dto.js';

export function toOwnerDto(view: OwnerView): OwnerDto {
  return { ...kept(view), models: view.models, metadata: view.metadata };
}

export function toOrgDto(view: OrgView): OrgDto {
  return { ...kept(view), time_zone: view.timeZone, week_start: weekdayName(view.weekStart) };
}

function kept(view: OwnerView | OrgView) {
  return {
    id: view.id,
    name: view.name,
    display_name: view.displayName,
    budgets: toBudgetDtos(view.budgets),
    limits: toLimitsDto(view.limits),
    source: view.source,
    version: view.version,
    created_at: toInstant(view.createdAtMs),
    updated_at: toInstant(view.updatedAtMs),
  };
}

export function toOwnerSettings(dto: CreateOwnerDto): OwnerSettings {
  return {
    displayName: dto.display_name ?? null,
    models: dto.models ?? ['*'],
    budgets: toBudgets(dto.budgets ?? []),
    limits: toLimits(dto.limits ?? null),
    metadata: { ...dto.metadata },
  };
}

/** Only what was given. */
export function toOwnerChanges(dto: UpdateOwnerDto): Partial<OwnerSettings> {
  return {
    ...shared(dto),
    ...(dto.models === undefined ? {} : { models: dto.models }),
    ...(dto.metadata === undefined ? {} : { metadata: { ...dto.metadata } }),
  };
}

/** Only what was given. */
export function toOrgChanges(dto: UpdateOrgDto): Partial<OrgSettingsWish> {
  return {
    ...shared(dto),
    ...(dto.time_zone === undefined ? {} : { timeZone: dto.time_zone }),
    ...(dto.week_start === undefined ? {} : { weekStart: weekdayNumber(dto.week_start) }),
  };
}

function shared(
  dto: UpdateOwnerDto | UpdateOrgDto,
): Partial<Pick<OwnerSettings, 'displayName' | 'budgets' | 'limits'>> {
  return {
    ...(dto.display_name === undefined ? {} : { displayName: dto.display_name }),
    ...(dto.budgets === undefined ? {} : { budgets: toBudgets(dto.budgets) }),
    ...(dto.limits === undefined ? {} : { limits: toLimits(dto.limits) }),
  };
}
