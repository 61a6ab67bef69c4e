/** How a call ended whose caller left before it was over. */
export type ClientGoneEnd =
  /** The caller had everything and only closed first. */
  | 'complete'
  /** Policy, or nothing had been sent upstream. */
  | 'cancelled'
  /** Too many calls without a caller were being read already. */
  | 'no_room'
  /** Read to its end: the usage is the whole one. */
  | 'drained'
  /** Reading on reached its bound, or the answer broke off. */
  | 'cut';

/** Room for calls that are read to their end although nobody waits for them. Full: the next one is cancelled. */
export class DrainRoom {
  #taken = 0;
  constructor(private readonly most: number) {}

  get taken(): number {
    return this.#taken;
  }

  take(): boolean {
    if (this.#taken >= this.most) return false;
    this.#taken += 1;
    return true;
  }

  release(): void {
    this.#taken -= 1;
  }
}
