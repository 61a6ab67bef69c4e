import { writeChain } from '#libs/platform/config.js';
import type { ChainView, WrittenParts } from '../chain-admin.js';
import type { ChainDto, CreateChainDto, UpdateChainDto } from './chains.dto.js';

/** A moment on the wire. */
export function toInstant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export function toChainDto(view: ChainView): ChainDto {
  const { steps, retry, errors, affinity } = writeChain(view);
  return {
    id: view.id,
    name: view.name,
    steps,
    retry: toDefined(retry ?? {}),
    errors: toDefined(errors ?? {}),
    affinity: affinity ?? 'conversation',
    source: view.source,
    faults: view.faults,
    version: view.version,
    created_at: toInstant(view.createdAtMs),
    updated_at: toInstant(view.updatedAtMs),
  } as ChainDto;
}

/** Only what was given: a declared field of a DTO exists even when it was absent from the body. */
export function toWritten(dto: CreateChainDto | UpdateChainDto): WrittenParts {
  return toDefined({ ...dto });
}

function toDefined(parts: WrittenParts): WrittenParts {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}
