import { AppError } from '#libs/platform/errors.js';
import { REQUEST, SLOT, TOKENS, type LimitAccount, type Measure, type Shortage } from './limit-account.js';
import type { LimitScopeKind } from './limit-scope.js';

/** A rate as headers tell it. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  /** Until what is counted now is counted no more, or, for a refused call, until it may be sent again; ms. */
  readonly resetMs: number;
}

/** The limits of a call as headers tell them: of the scopes with the least left. `null`: no such limit. */
export interface LimitState {
  readonly requests: RateState | null;
  readonly tokens: RateState | null;
}

/** Where tickets come from and what they hold goes back to. */
export interface TicketHome {
  /** @param tokens what the call used; `null`: nobody knows, the estimate stays */
  over(ticket: LimitTicket, tokens: number | null): void;
  cancelled(ticket: LimitTicket): void;
}

/** What a call was let in with. It ends with exactly one `settle` or `cancel`; further ones change nothing. */
export class LimitTicket {
  readonly accounts: readonly LimitAccount[];
  /** What is held of each account, as bits. */
  readonly held: number[];
  /** Store seconds in which request and tokens of each account were counted; 0: not by the store. */
  readonly requestSeconds: number[];
  readonly tokenSeconds: number[];
  /** Counted beforehand. */
  readonly tokens: number;
  readonly #home: TicketHome;
  #isOver = false;

  constructor(home: TicketHome, accounts: readonly LimitAccount[], tokens: number) {
    this.#home = home;
    this.accounts = accounts;
    this.tokens = tokens;
    this.held = accounts.map(() => 0);
    this.requestSeconds = accounts.map(() => 0);
    this.tokenSeconds = accounts.map(() => 0);
  }

  /** The call is over. @param tokens what it used; `null`: nobody knows, what was counted beforehand stays */
  settle(tokens: number | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#home.over(this, tokens);
  }

  /** The call was not made: nothing of it counts. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#home.cancelled(this);
  }

  /** For the headers of the answer. */
  state(): LimitState {
    return stateOf(this.accounts, null);
  }
}

const WINDOW_MS = 60_000;

/** @param shortage what refused the call */
function stateOf(accounts: readonly LimitAccount[], shortage: Shortage | null): LimitState {
  let requests: RateState | null = null;
  let tokens: RateState | null = null;
  for (const account of accounts) {
    const forRequests = rateState(account, 'rpm', shortage);
    if (forRequests !== null && (requests === null || forRequests.remaining < requests.remaining)) {
      requests = forRequests;
    }
    const forTokens = rateState(account, 'tpm', shortage);
    if (forTokens !== null && (tokens === null || forTokens.remaining < tokens.remaining)) tokens = forTokens;
  }
  return { requests, tokens };
}

function rateState(account: LimitAccount, measure: 'rpm' | 'tpm', shortage: Shortage | null): RateState | null {
  const meter = measure === 'rpm' ? account.requests : account.tokens;
  if (meter === null) return null;
  const isShort = shortage !== null && shortage.account === account && shortage.measure === measure;
  const left = (meter.left ?? meter.limit) + meter.units;
  return {
    limit: meter.limit,
    remaining: isShort && measure === 'rpm' ? 0 : Math.min(left, meter.limit),
    resetMs: isShort ? shortage.waitMs : WINDOW_MS,
  };
}

const WORDS: Readonly<Record<Measure, string>> = {
  rpm: 'requests per minute',
  tpm: 'tokens per minute',
  max_parallel: 'calls at the same time',
};

/** A call that a limit did not let pass; no upstream call was made. */
export class LimitRefusal extends AppError {
  readonly measure: Measure;
  readonly scope: LimitScopeKind;
  readonly scopeName: string;
  readonly limit: number;
  readonly state: LimitState;

  constructor(accounts: readonly LimitAccount[], shortage: Shortage, options: { readonly isHopeless?: boolean } = {}) {
    const { account, measure, waitMs } = shortage;
    const { kind, name } = account.scope;
    const limit = limitOf(account, measure);
    const owner = kind === 'org' ? 'organisation' : kind === 'model' ? `model "${name}"` : `${kind} "${name}"`;
    const retryAfterS = Math.min(60, Math.max(1, Math.ceil(waitMs / 1000)));
    const again = options.isHopeless
      ? 'This request alone has more: it cannot pass.'
      : `Try again in ${retryAfterS} ${retryAfterS === 1 ? 'second' : 'seconds'}.`;
    super('rate_limit_exceeded', {
      text: `The limit of the ${owner} is reached: ${limit} ${WORDS[measure]}. ${again}`,
      ...(options.isHopeless ? {} : { retryAfterS }),
    });
    this.measure = measure;
    this.scope = kind;
    this.scopeName = name;
    this.limit = limit;
    this.state = stateOf(accounts, shortage);
  }
}

function limitOf(account: LimitAccount, measure: Measure): number {
  const { rpm, tpm, maxParallel } = account.scope.limits;
  return (measure === 'rpm' ? rpm : measure === 'tpm' ? tpm : maxParallel) ?? 0;
}

/** Gives everything back that a ticket holds, for a call that is not made. */
export function giveBack(ticket: LimitTicket, nowMs: number): void {
  for (const [index, account] of ticket.accounts.entries()) {
    const held = ticket.held[index] as number;
    if ((held & REQUEST) !== 0) account.requests?.giveBack(1, ticket.requestSeconds[index] as number, nowMs);
    if ((held & TOKENS) !== 0) account.tokens?.giveBack(ticket.tokens, ticket.tokenSeconds[index] as number, nowMs);
    if ((held & SLOT) !== 0) account.slots?.release();
    ticket.held[index] = 0;
  }
}

/** Ends what a ticket holds, for a call that was made. */
export function settle(ticket: LimitTicket, tokens: number | null, nowMs: number): void {
  for (const [index, account] of ticket.accounts.entries()) {
    const held = ticket.held[index] as number;
    if ((held & TOKENS) !== 0 && tokens !== null && tokens !== ticket.tokens) {
      account.tokens?.correct(tokens - ticket.tokens, ticket.tokenSeconds[index] as number, nowMs);
    }
    if ((held & SLOT) !== 0) account.slots?.release();
    ticket.held[index] = 0;
  }
}
