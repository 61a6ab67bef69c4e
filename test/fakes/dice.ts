/** Random numbers from a seed, small and good enough for tests: xorshift32. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) / 2 ** 32;
  }
  /** 0 … most, the end as likely as all between. */
  upTo(most: number): number {
    return this.chance(0.3) ? most : Math.floor(this.next() * (most + 1));
  }
  chance(p: number): boolean {
    return this.next() < p;
  }
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
}
