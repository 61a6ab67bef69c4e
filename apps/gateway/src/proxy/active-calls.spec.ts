import { type ActiveCall, ActiveCalls } from './active-calls.js';

class FakeCall implements ActiveCall {
  readonly deadlineMs = performance.now() + 60_000;
  activeAt = -1;
  pausedSinceMs: number | null = null;
  aborted: string | null = null;
  constructor(private readonly calls: ActiveCalls) {
    calls.add(this);
  }
  abort(reason: string): void {
    this.aborted = reason;
    this.calls.delete(this);
  }
}

describe('ActiveCalls', () => {
  it('counts each call once, in whatever order they end and however often that is reported', () => {
    const calls = new ActiveCalls();
    const [a, b, c, d] = Array.from({ length: 4 }, () => new FakeCall(calls)) as [
      FakeCall,
      FakeCall,
      FakeCall,
      FakeCall,
    ];
    calls.delete(b);
    calls.delete(b);
    expect(calls.size).toBe(3);
    calls.delete(d);
    calls.delete(a);
    calls.delete(a);
    expect(calls.size).toBe(1);
    calls.delete(c);
    expect(calls.size).toBe(0);
  });

  it('LLM-8: draining ends every call that is left when its time is up, and then is over', async () => {
    const calls = new ActiveCalls();
    const left = Array.from({ length: 5 }, () => new FakeCall(calls));
    calls.delete(left[1] as FakeCall);
    await calls.drain(1);
    expect(left.map((call) => call.aborted)).toEqual(['draining', null, 'draining', 'draining', 'draining']);
    expect(calls.size).toBe(0);
  });

  it('OPS-3: a call that does not end when it is told to, or breaks at that, does not hold up the stop', async () => {
    const calls = new ActiveCalls();
    const deaf = new FakeCall(calls);
    deaf.abort = () => {
      throw new Error('broken');
    };
    const other = new FakeCall(calls);
    expect(await calls.drain(1, 20)).toBe(1);
    expect(other.aborted).toBe('draining');
  });
});
