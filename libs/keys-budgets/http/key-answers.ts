import { Inject, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { answerVersion, RegistryWriter } from '#libs/registry/index.js';
import type { NewKey } from '../key-admin.js';
import type { KeyUse, KeyUses, KeyView } from '../key-view.js';
import type { CreatedKeyDto, KeyDto } from './keys.dto.js';
import { toKeyDto } from './keys.presenter.js';

/** Nest token of the `KeyUses`. */
export const KEY_USES = Symbol('KEY_USES');

const NONE: ReadonlyMap<string, KeyUse> = new Map();

/** How keys are answered with: their use, their version, and what `?wait=applied` found. */
@Injectable()
export class KeyAnswers {
  private readonly logger = new Logger(KeyAnswers.name);

  constructor(
    @Inject(KEY_USES) private readonly uses: KeyUses,
    @Inject(RegistryWriter) private readonly writer: RegistryWriter,
  ) {}

  async shown(orgId: string, views: readonly KeyView[]): Promise<KeyDto[]> {
    const uses = await this.usesOf(orgId, views);
    return views.map((view) => toKeyDto(view, uses.get(view.id)));
  }

  async one(orgId: string, view: KeyView, reply: FastifyReply, wait: 'applied' | undefined): Promise<KeyDto> {
    await answerVersion(reply, view.version, this.writer, wait);
    const uses = await this.usesOf(orgId, [view]);
    return toKeyDto(view, uses.get(view.id));
  }

  /** With the secret, here and never again. */
  async made(
    orgId: string,
    { view, secret }: NewKey,
    reply: FastifyReply,
    wait: 'applied' | undefined,
  ): Promise<CreatedKeyDto> {
    await answerVersion(reply, view.version, this.writer, wait);
    const uses = await this.usesOf(orgId, [view]);
    return { ...toKeyDto(view, uses.get(view.id)), key: secret.reveal() };
  }

  /** Keys are shown without their use rather than not at all. */
  private async usesOf(orgId: string, views: readonly KeyView[]): Promise<ReadonlyMap<string, KeyUse>> {
    if (views.length === 0) return NONE;
    try {
      return await this.uses.of(
        orgId,
        views.map(({ id }) => id),
      );
    } catch (error) {
      this.logger.warn({ msg: 'the use of keys cannot be read', err: error });
      return NONE;
    }
  }
}
