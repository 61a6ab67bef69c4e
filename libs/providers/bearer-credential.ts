import type { Credential } from './credential.js';
import type { ExpiringValue } from './expiring.js';

/** A token sent as `Authorization: Bearer`. */
export class BearerCredential implements Credential {
  readonly #token: ExpiringValue<string>;

  constructor(token: ExpiringValue<string>) {
    this.#token = token;
  }

  isReady(): boolean {
    return this.#token.current() !== null;
  }

  refresh(): Promise<void> {
    return this.#token.refresh();
  }

  headersFor(): string[] {
    const token = this.#token.last();
    return token === null ? [] : ['authorization', `Bearer ${token}`];
  }

  refused(): void {
    this.#token.refused();
  }

  secrets(): readonly string[] {
    return this.#token.recent();
  }
}
