// One gateway of the proof: callers that reserve, call the fake upstream, leave at random, settle. Commands by IPC.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Admission,
  type BudgetDefinition,
  Budgets,
  type BudgetSet,
  type Period,
  RedisBudgetCounters,
} from '#libs/keys-budgets/index.js';
import { PostgresBudgetLedger } from '#libs/ledger/index.js';
import { newId } from '#libs/platform/ids.js';
import { createLogger } from '#libs/platform/logger.js';
import { Secret } from '#libs/platform/secret.js';
import { connectPostgres, createRedis, redisReady } from '#libs/stores/index.js';
import { nameOf, type ChaosBudget, type ChaosKey, type Command, type GatewaySettings } from './settings.js';

const settings = JSON.parse(process.env['CHAOS'] ?? '') as GatewaySettings;
const below = (n: number): number => Math.floor(Math.random() * n);
const CLOSED = 3;

const redisUrl = new Secret(settings.redisUrl);
const connect = async (purpose: 'commands' | 'background' | 'subscriber') => {
  const redis = createRedis(redisUrl, purpose);
  await redisReady(redis, redisUrl, 8000).catch(() => {});
  return redis;
};

async function connectSource() {
  for (;;) {
    try {
      return await connectPostgres(new Secret(settings.postgresUrl), { poolSize: 4, applicationName: 'chaos-gateway' });
    } catch {
      await sleep(200);
    }
  }
}

const [commands, twin, background, subscriber] = await Promise.all([
  connect('commands'),
  connect('commands'),
  connect('background'),
  connect('subscriber'),
]);
const source = await connectSource();
const counters = new RedisBudgetCounters(commands, subscriber);
const twinCounters = new RedisBudgetCounters(twin, subscriber);

// What a network and a retrying driver can do to messages: twice, late, or applied with the answer lost.
const plainTurn = counters.turn.bind(counters);
const history: Parameters<typeof plainTurn>[] = [];
counters.turn = async (...args) => {
  const dice = Math.random();
  if (dice < 0.03) setTimeout(() => void twinCounters.turn(...args).catch(() => {}), below(60));
  if (dice > 0.03 && dice < 0.05 && history.length > 0) {
    void twinCounters.turn(...(history[below(history.length)] as (typeof history)[0])).catch(() => {});
  }
  history.push(args);
  if (history.length > 30) history.shift();
  const answer = await plainTurn(...args);
  if (dice > 0.97 && dice < 0.98) throw new Error('answer lost');
  return answer;
};
const plainShip = counters.ship.bind(counters);
counters.ship = async (shipment) => {
  const dice = Math.random();
  if (dice < 0.03) setTimeout(() => void twinCounters.ship(shipment).catch(() => {}), below(200));
  const answer = await plainShip(shipment);
  if (dice > 0.98) throw new Error('answer lost');
  return answer;
};

let frozenMs: number | null = null;
const lengths = new Map<BudgetDefinition, number>();
/** Periods of seconds, cut by a clock that is wrong by `skewMs`. */
function periodOf(budget: BudgetDefinition): Period {
  const lengthMs = lengths.get(budget) ?? 0;
  if (lengthMs === 0) return { name: 'life', startMs: -Infinity, endMs: Infinity };
  const nowMs = frozenMs ?? Date.now() + settings.skewMs;
  const n = Math.floor((nowMs - settings.startedMs) / lengthMs);
  const startMs = settings.startedMs + n * lengthMs - settings.skewMs;
  return { name: `p${n}`, startMs, endMs: frozenMs === null ? startMs + lengthMs : Infinity };
}

const logger = createLogger({
  level: process.env['CHAOS_VERBOSE'] === '1' ? 'info' : 'error',
  name: settings.processId,
});
async function open(): Promise<Budgets> {
  const ledger = new PostgresBudgetLedger({ source, redis: background, logger });
  for (;;) {
    try {
      return await Budgets.open({
        counters,
        ledger,
        spoolRoot: settings.spoolRoot,
        logger,
        onClosed: () => process.exit(CLOSED),
        times: { ttlMs: settings.ttlMs, parkMs: 2000 },
        spool: { segmentBytes: 64 * 1024 },
        adoptEveryMs: 500,
        processId: settings.processId,
        periodOf,
      });
    } catch {
      await sleep(200); // Redis is away
    }
  }
}
const budgets = await open();

const sets = new Map<string, BudgetSet>();
function setOf(key: ChaosKey): BudgetSet {
  const memo = `${key.orgId} ${key.budgets[0]?.id}`;
  let set = sets.get(memo);
  if (set === undefined) {
    const definitions = key.budgets.map((budget: ChaosBudget): BudgetDefinition => {
      const definition: BudgetDefinition = {
        id: budget.id,
        scope: 'key',
        limitNanos: budget.limitNanos,
        period: 'lifetime',
        timeZone: 'UTC',
        weekStart: 1,
        mode: budget.mode,
        leased: settings.isLeased,
      };
      lengths.set(definition, budget.periodMs);
      return definition;
    });
    sets.set(memo, (set = budgets.compile(key.orgId, definitions)));
  }
  return set;
}

const waiting = new Map<string, (cost: number) => void>();
let socket: net.Socket;
let rest = '';
function connectUpstream(): void {
  socket = net.connect(settings.upstreamPort, '127.0.0.1');
  socket.on('data', (data) => {
    const lines = (rest + data.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { id, cost } = JSON.parse(line) as { id: string; cost: number };
      waiting.get(id)?.(cost);
      waiting.delete(id);
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(connectUpstream, 50));
}
connectUpstream();

const draft = JSON.stringify({ keyId: 'key_chaos', keyName: 'chaos', model: 'fake', provider: 'fake' });
async function admit(key: ChaosKey, min: number, want: number): Promise<{ admission: Admission } | { reason: string }> {
  const outcome = await budgets.admit({ id: newId('req'), set: setOf(key), minNanos: min, wantNanos: want, draft });
  if (!outcome.ok) return { reason: outcome.reason };
  return (await outcome.written) ? { admission: outcome } : { reason: 'store' };
}

let running = true;
let calls = 0;
const send = (message: object): boolean => socket.write(JSON.stringify(message) + '\n');

async function oneCall(): Promise<void> {
  const key = settings.keys[below(settings.keys.length)] as ChaosKey;
  const want = 1 + below(settings.mostNanos);
  const outcome = await admit(key, Math.max(1, Math.floor(want / 4)), want);
  if ('reason' in outcome) return sleep(outcome.reason === 'store' ? 50 : 10 + below(40));
  const { admission } = outcome;
  calls += 1;
  const answered = new Promise<number>((resolve) => waiting.set(admission.id, resolve));
  const fields = admission.accounts.map(({ field }) => nameOf(key.orgId, field));
  send({ id: admission.id, bound: admission.boundNanos, fields, process: settings.processId });
  // a stream that outgrows its bound: the upstream may bill more only once more is set aside
  if (
    Math.random() < 0.1 &&
    (await budgets.extend(admission, 1 + below(Math.ceil(want / 2)))) &&
    waiting.has(admission.id)
  ) {
    send({ id: admission.id, bound: admission.boundNanos });
  }
  if (Math.random() < 0.03) {
    await sleep(below(20)); // left, cancelled: nobody will say what it cost
    waiting.delete(admission.id);
    budgets.settle(admission, null, draft);
  } else {
    budgets.settle(admission, await answered, draft);
  }
  calls -= 1;
  if (settings.thinkMs > 0) await sleep(below(settings.thinkMs));
}

/** Asks until the budgets decide: on a starved machine a message may miss its time. */
async function decided(key: ChaosKey, nanos: number): ReturnType<typeof admit> {
  for (let n = 0; ; n++) {
    const outcome = await admit(key, nanos, nanos);
    if (n >= 10 || !('reason' in outcome) || outcome.reason !== 'store') return outcome;
    await sleep(200);
  }
}

/** What the ledger leaves is admitted to the last nano-dollar, wherever idle slices are; one more is not. */
async function probe(key: ChaosKey, spent: Readonly<Record<string, number>>): Promise<object> {
  const set = setOf(key);
  const free = set
    .turnTo(set.org.storeNowMs())
    .filter((account) => !account.isSoft)
    .map((account) => account.budget.limitNanos - (spent[nameOf(key.orgId, account.field)] ?? 0));
  const fit = Math.min(...free);
  const one = fit > 0 ? await decided(key, fit) : null;
  if (one !== null && 'admission' in one) budgets.cancel(one.admission);
  await sleep(30);
  const two = await decided(key, fit + 1);
  if ('admission' in two) budgets.cancel(two.admission);
  return {
    fit,
    fits: one === null || 'admission' in one,
    over: 'admission' in two,
    why: [one, two].map((x) => (x !== null && 'reason' in x ? x.reason : null)),
  };
}

async function obey(command: Command): Promise<void> {
  const answer = (said: object): unknown => process.send?.({ ...said, number: command.number });
  switch (command.cmd) {
    case 'stop':
      running = false;
      frozenMs = command.atMs + settings.skewMs;
      return;
    case 'calls': {
      const isOpen = settings.keys.every((key) => budgets.isReady(key.orgId));
      answer({
        calls,
        open: isOpen,
        stats: budgets.stats,
        spool: [budgets.spool.end, budgets.spool.shipped, budgets.spool.acked],
      });
      return;
    }
    case 'probe':
      answer(await probe(command.key, command.spent));
      return;
    case 'end':
      answer({ done: await budgets.close(20_000) });
      setTimeout(() => process.exit(0), 20);
  }
}
process.on('message', (command: Command) => void obey(command));
process.on('disconnect', () => process.exit(1));

for (const key of settings.keys) setOf(key);
process.send?.({ ready: true, number: 0 });
for (let n = 0; n < settings.callers; n++) {
  void (async () => {
    while (running) await oneCall();
  })();
}
