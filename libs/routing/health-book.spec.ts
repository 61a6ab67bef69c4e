import { FakeClock } from '../../test/fakes/routing.js';
import { HealthBook } from './health-book.js';
import type { HealthShare, SharedChange } from './health-share.js';

describe('HealthBook', () => {
  it('RTE-3: names that callers make up push out only each other, never targets of chains', () => {
    const book = new HealthBook(new FakeClock());
    const kept = book.stateOf('a/kept');
    const first = book.passingStateOf('a/0');
    for (let i = 1; i < 10_000; i++) book.passingStateOf(`a/${i}`);
    expect([...book.states()].length).toBeLessThanOrEqual(8_193);
    expect(book.stateOf('a/kept')).toBe(kept);
    expect(book.passingStateOf('a/kept')).toBe(kept);
    expect(book.passingStateOf('a/0')).not.toBe(first);
  });

  it('RTE-3: a target that comes into a chain keeps what is known of it', () => {
    const book = new HealthBook(new FakeClock());
    const before = book.passingStateOf('a/x');
    expect(book.stateOf('a/x')).toBe(before);
    expect(book.passingStateOf('a/x')).toBe(before);
    expect([...book.states()]).toEqual([before]);
  });

  it('RTE-3: what others tell of a target is heeded without keeping each name for ever', () => {
    let tell: (change: SharedChange) => void = () => {};
    const share: HealthShare = {
      tell: async () => {},
      openings: async () => [],
      listen: (onChange) => {
        tell = onChange;
        return () => {};
      },
    };
    const book = new HealthBook(new FakeClock());
    void book.connect(share, () => {});
    for (let i = 0; i < 10_000; i++) tell({ target: `a/${i}`, reason: 'auth', coolMs: 30_000 });
    expect([...book.states()].length).toBeLessThanOrEqual(8_192);
    expect(book.stateOf('a/9999').breaker).toBe('open');
    book.disconnect();
  });

  it('beyond its bound a state is nobody else’s: it works, and is neither kept nor told', async () => {
    const told: SharedChange[] = [];
    const share: HealthShare = {
      tell: async (change) => void told.push(change),
      openings: async () => [],
      listen: () => () => {},
    };
    const book = new HealthBook(new FakeClock());
    await book.connect(share, () => {});
    for (let i = 0; i < 4_096; i++) book.stateOf(`a/${i}`);
    const beyond = book.stateOf('b/x');
    beyond.bad(1, { class: 'auth', status: 401, retryAfterMs: null });
    book.stateOf('a/1').bad(1, { class: 'auth', status: 401, retryAfterMs: null });
    expect([beyond.breaker, told.map(({ target }) => target)]).toEqual(['open', ['a/1']]);
    expect(book.stateOf('b/x')).not.toBe(beyond);
    book.disconnect();
  });
});
