// One seed: a random world, random harm for some seconds, rest, and then everything must add up.
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { answerOf, continueAll, isAlive, kill, killAll, startPart } from './children.js';
import { checkCounters } from './counters-check.js';
import { checkLedger, type Query, readSums } from './ledger-check.js';
import type { Options, Totals } from './options.js';
import { RedisServer } from './redis-server.js';
import { type GatewaySettings, limitOf, makeWorld, randomOf, type World } from './settings.js';
import { type Standing, standingOf } from './standing.js';
import { FakeUpstream } from './upstream.js';

interface Gateway {
  readonly process: ChildProcess;
  readonly processId: string;
  readonly ready: Promise<unknown>;
}

const TTL_MS = 3000;
const CLOSED = 3;

export async function runSeed(seed: number, postgresUrl: string, options: Options, totals: Totals): Promise<void> {
  const run = new SeedRun(seed, postgresUrl, options, totals);
  await run.start();
  await run.harm();
  await run.rest();
  await run.verify();
  await run.end();
}

class SeedRun {
  readonly #seed: number;
  readonly #options: Options;
  readonly #totals: Totals;
  readonly #random: (below?: number) => number;
  readonly #world: World;
  readonly #upstream: FakeUpstream;
  readonly #redis: RedisServer;
  readonly #postgresUrl: string;
  readonly #pool: pg.Pool;
  readonly #dir: string;
  readonly #root: string;
  readonly #gateways: Gateway[] = [];
  readonly #startedMs = Date.now();
  readonly #lostDisks = new Set<string>();
  readonly #peaks = new Map<string, number>();
  #worker!: ChildProcess;
  #upstreamPort = 0;
  #serial = 0;
  #isLooking = true;
  #background: Promise<void>[] = [];
  #sums = new Map<string, number>();

  constructor(seed: number, postgresUrl: string, options: Options, totals: Totals) {
    this.#seed = seed;
    this.#options = options;
    this.#totals = totals;
    this.#postgresUrl = postgresUrl;
    this.#random = randomOf(seed);
    this.#world = makeWorld(seed, this.#random, options.isStrict);
    this.#dir = path.join(options.dir, String(seed));
    this.#root = path.join(this.#dir, 's');
    fs.rmSync(this.#dir, { recursive: true, force: true });
    fs.mkdirSync(this.#root, { recursive: true });
    const kind = options.kind === 'both' ? (seed % 2 === 1 ? 'aof' : 'rdb') : options.kind;
    this.#redis = new RedisServer(options.redisServer, options.redisPort, path.join(this.#dir, 'redis'), kind);
    this.#upstream = new FakeUpstream(this.#random, (name) => limitOf(this.#world, name), this.#bad);
    this.#pool = new pg.Pool({ connectionString: postgresUrl, max: 3 });
    this.#pool.on('error', () => {});
  }

  #bad = (what: string, details: object): void => {
    this.#totals.violations.push({ what, seed: this.#seed, ...details });
    if (this.#totals.violations.length < 30) console.log('VIOLATION', what, JSON.stringify(details));
  };

  /** The order of things, for whoever looks for a cause (`--verbose`). */
  #note(what: string, details: object = {}): void {
    if (!this.#options.verbose) return;
    console.log(new Date().toISOString(), 'HARM', what, JSON.stringify(details));
  }

  #query: Query = async (text, values) => {
    for (let n = 0; ; n++) {
      try {
        return (await this.#pool.query(text, values as unknown[])).rows as Record<string, unknown>[];
      } catch (error) {
        if (n > 100) throw error;
        await sleep(200);
      }
    }
  };

  async start(): Promise<void> {
    await this.#redis.start();
    this.#upstreamPort = await this.#upstream.listen();
    this.#startWorker();
    for (let slot = 0; slot < this.#options.gateways; slot++) this.#startGateway(slot);
    await Promise.all(this.#gateways.map(({ ready }) => ready));
    this.#background = [this.#lookAllTheTime(), this.#saveNowAndThen()];
  }

  get #redisUrl(): string {
    return `redis://127.0.0.1:${this.#redis.port}`;
  }

  #startWorker(): void {
    this.#worker = startPart('worker.js', {
      redisUrl: this.#redisUrl,
      postgresUrl: this.#postgresUrl,
      ttlMs: TTL_MS,
      lostAfterMs: this.#options.lostAfterMs,
      spoolRoot: this.#root,
      doubleFailure: this.#options.doubleFailure,
    });
  }

  #startGateway(slot: number): void {
    const old = this.#gateways[slot];
    if (old !== undefined && isAlive(old.process)) return;
    const { callers, isLeased, thinkMs } = this.#options;
    const settings: GatewaySettings = {
      processId: `g${this.#seed}-${++this.#serial}`,
      spoolRoot: this.#root,
      redisUrl: this.#redisUrl,
      postgresUrl: this.#postgresUrl,
      upstreamPort: this.#upstreamPort,
      keys: this.#world.keys,
      startedMs: this.#startedMs,
      callers,
      mostNanos: this.#world.mostNanos,
      skewMs: [-2000, 0, 2000][slot % 3] as number,
      ttlMs: TTL_MS,
      isLeased,
      thinkMs,
    };
    const child = startPart('gateway.js', settings);
    const gateway: Gateway = { process: child, processId: settings.processId, ready: answerOf(child, null, 20_000) };
    this.#gateways[slot] = gateway;
    child.once('exit', (code) => {
      if (code === CLOSED && this.#gateways[slot] === gateway) setTimeout(() => this.#startGateway(slot), 100); // found itself closed
    });
  }

  async #look(): Promise<Map<string, number> | null> {
    const seen = await checkCounters(
      this.#redis.client,
      this.#world.orgIds,
      (name) => limitOf(this.#world, name),
      this.#bad,
    );
    if (seen === null) return null;
    this.#totals.checks += 1;
    for (const [name, total] of seen) this.#peaks.set(name, Math.max(this.#peaks.get(name) ?? 0, total));
    return seen;
  }

  async #lookAllTheTime(): Promise<void> {
    while (this.#isLooking) {
      await this.#look();
      await sleep(250);
    }
  }

  async #saveNowAndThen(): Promise<void> {
    while (this.#isLooking && this.#redis.kind === 'rdb') {
      await sleep(500 + this.#random(2500));
      await this.#redis.client.bgsave().catch(() => {});
    }
  }

  /** Kills, stops, rolls back, takes disks away, for as long as the options say. */
  async harm(): Promise<void> {
    const { seconds, doubleFailure, freezeMs, pgCrash } = this.#options;
    const random = this.#random;
    const untilMs = Date.now() + seconds * 1000;
    let lastRedisMs = 0;
    while (Date.now() < untilMs) {
      await sleep(200 + random(900));
      const [dice, slot] = [random(), Math.floor(random(this.#options.gateways))];
      const gateway = this.#gateways[slot] as Gateway;
      if (!isAlive(gateway.process)) continue;
      // what a lost disk held must outlive Redis' memory: booked already, or said by the mirror to the last nano-dollar
      const redisOk = doubleFailure || (await this.#areLostOnesSafe());
      if (dice < 0.5) await this.#killGateway(slot);
      else if (dice < 0.6) await this.#loseDisk(slot);
      else if (dice < 0.74) await this.#killWorker();
      else if (dice < 0.82) this.#pause(gateway);
      else if (dice < 0.92 && redisOk && Date.now() - lastRedisMs > 2500) {
        lastRedisMs = Date.now();
        const how = await this.#redis.crash(random);
        this.#totals.redisCrashes[how] = (this.#totals.redisCrashes[how] ?? 0) + 1;
        this.#note('redis crashed', { how, forMs: Date.now() - lastRedisMs });
      } else if (dice < 0.97) {
        this.#totals.redisFreezes += 1;
        const forMs = Math.round(random(freezeMs));
        this.#redis.freeze(forMs);
        this.#note('redis frozen', { forMs });
      } else if (pgCrash !== null) {
        this.#totals.pgCrashes += 1;
        execFileSync('sh', ['-c', pgCrash], { stdio: 'ignore' });
      }
    }
  }

  async #killGateway(slot: number): Promise<void> {
    this.#totals.gatewayKills += 1;
    const { process: child, processId } = this.#gateways[slot] as Gateway;
    await kill(child);
    if (this.#options.verbose) this.#note('gateway killed', { processId, standing: await this.#standingOf(processId) });
    setTimeout(() => this.#startGateway(slot), this.#random(400));
  }

  async #loseDisk(slot: number): Promise<void> {
    const { process: child, processId } = this.#gateways[slot] as Gateway;
    const standing = await this.#standingOf(processId);
    // what Redis' present memory does not know, the mirror alone would say, and it may be behind: another proof
    const isKnown = standing?.length === this.#world.orgIds.length && standing.every((one) => one.isKnown);
    if (!isKnown && !this.#options.doubleFailure) return this.#killGateway(slot);
    this.#totals.gatewayKills += 1;
    await kill(child);
    try {
      fs.renameSync(path.join(this.#root, processId), path.join(this.#dir, `gone-${processId}`));
      this.#totals.disksLost += 1;
      this.#lostDisks.add(processId);
      this.#note('disk taken', { processId, standing });
    } catch {
      this.#note('a neighbour was faster than the loss of a disk', { processId });
    }
    this.#startGateway(slot);
  }

  async #areLostOnesSafe(): Promise<boolean> {
    for (const processId of this.#lostDisks) {
      const standing = await this.#standingOf(processId);
      if (standing?.every(({ isMirrored }) => isMirrored) !== true) return false;
    }
    return true;
  }

  #standingOf(processId: string): Promise<Standing[] | null> {
    return standingOf(this.#redis.client, this.#query, processId);
  }

  async #killWorker(): Promise<void> {
    this.#totals.workerKills += 1;
    this.#note('worker killed');
    await kill(this.#worker);
    await sleep(this.#random(300));
    this.#startWorker();
  }

  #pause({ process: child, processId }: Gateway): void {
    this.#totals.pauses += 1;
    child.kill('SIGSTOP');
    const forMs = Math.round(this.#random() < 0.3 ? 7000 : 300 + this.#random(2500));
    setTimeout(() => child.kill('SIGCONT'), forMs);
    this.#note('gateway stopped', { processId, forMs });
  }

  get #living(): Gateway[] {
    return this.#gateways.filter(({ process: child }) => isAlive(child));
  }

  /** Load off, everything alive again, spools drained, the spools of the dead read, the dead closed: until Redis and the ledger say the same. */
  async rest(): Promise<void> {
    continueAll();
    await sleep(1000);
    const atMs = Date.now();
    for (const { ready } of this.#living) await ready;
    this.#isLooking = false;
    await Promise.all(this.#background);
    let seen: Map<string, number> | null = null;
    let state: unknown[] = [];
    for (let n = 0; n < 160; n++) {
      const states = [];
      for (const { process: child } of this.#living) {
        child.send({ cmd: 'stop', atMs }, () => {});
        states.push(await answerOf<{ calls: number; open: boolean }>(child, { cmd: 'calls' }));
      }
      const live = await this.#query(`SELECT DISTINCT process_id FROM budget_processes WHERE state = 'live'`);
      this.#sums = await readSums(this.#query);
      seen = await this.#look();
      const quiet =
        states.length === this.#options.gateways && states.every((s) => s !== null && s.calls === 0 && s.open);
      const same = seen !== null && [...seen].every(([name, total]) => total === (this.#sums.get(name) ?? 0));
      const all = seen !== null && [...this.#sums].every(([name, nanos]) => nanos === (seen?.get(name) ?? 0));
      const unread = fs
        .readdirSync(this.#root)
        .filter((name) => !this.#living.some(({ processId }) => processId === name));
      if (quiet && unread.length === 0 && live.length === this.#options.gateways && same && all) {
        this.#note('at rest', { states });
        return;
      }
      state = [states, live.map((row) => row['process_id']), unread];
      await sleep(500);
    }
    const differ = [...(seen ?? [])].filter(([name, total]) => total !== (this.#sums.get(name) ?? 0)).slice(0, 3);
    this.#bad('Redis and the ledger never said the same', {
      state,
      differ: differ.map(([name, total]) => [name, total, this.#sums.get(name)]),
    });
  }

  async verify(): Promise<void> {
    const limit = (name: string): number => limitOf(this.#world, name);
    const result = await checkLedger(this.#query, this.#upstream, limit, this.#lostDisks, this.#bad);
    await this.#probe();
    for (const { process: child, processId } of this.#living) {
      const answer = await answerOf<{ done: boolean }>(child, { cmd: 'end' });
      if (answer?.done !== true) this.#bad('a gateway did not end', { processId });
    }
    await sleep(300);
    await this.#checkLeftovers();
    const used = [...this.#upstream.spent]
      .filter(([name]) => Number.isFinite(limit(name)) && (this.#peaks.get(name) ?? 0) >= 0.97 * limit(name))
      .map(([name, spent]) => spent / limit(name))
      .sort((a, b) => a - b);
    const at = (list: readonly number[], share: number): string =>
      (list[Math.floor(share * list.length)] ?? 0).toFixed(3);
    const { calls } = { calls: this.#upstream.served.size };
    Object.assign(this.#totals, {
      seeds: this.#totals.seeds + 1,
      calls: this.#totals.calls + calls,
      rows: this.#totals.rows + result.rows,
      unknown: this.#totals.unknown + result.unknown,
      slices: this.#totals.slices + result.slices.length,
    });
    console.log(
      `seed ${this.#seed} ${this.#redis.kind}: calls ${calls}, rows ${result.rows}, unknown ${result.unknown} (never sent ${result.unserved}), ` +
        `slices ${result.slices.length} (share of limit p50 ${at(result.slices, 0.5)}), ` +
        `exhausted ${used.length} (true use p10/p50/p90 ${at(used, 0.1)}/${at(used, 0.5)}/${at(used, 0.9)}), violations ${this.#totals.violations.length}`,
    );
  }

  /** Nobody is falsely refused: exactly what is left is admitted, one nano-dollar more is not. */
  async #probe(): Promise<void> {
    for (const key of this.#world.keys) {
      const gateway = this.#living[Math.floor(this.#random(this.#living.length))];
      if (gateway === undefined) return;
      const command = { cmd: 'probe', key, spent: Object.fromEntries(this.#sums) };
      const answer = await answerOf<{ fits: boolean; over: boolean }>(gateway.process, command);
      this.#totals.probes += 1;
      if (answer === null || !answer.fits || answer.over)
        this.#bad('false refusal or admission', { answer, key: key.budgets.map(({ id }) => id) });
      await sleep(350);
    }
  }

  /** When the last process has left, only what was spent remains. */
  async #checkLeftovers(): Promise<void> {
    const after = await this.#look();
    for (const [name, nanos] of this.#sums) {
      if (nanos !== 0 && after?.get(name) !== nanos)
        this.#bad('after the end Redis differs', { name, nanos, redis: after?.get(name) });
    }
    for (const orgId of this.#world.orgIds) {
      const left = (await this.#redis.client.keys(`sf:{${orgId}}:budgets:*:p:*`)).filter(
        (key) => !key.endsWith('~closed'),
      );
      const gen = await this.#redis.client.hget(`sf:{${orgId}}:budgets`, 'gen');
      const current = left.filter((key) => key.includes(`:budgets:${gen}:`));
      if (current.length > 0) this.#bad('ceilings are left', { current });
    }
    const dirs = fs.readdirSync(this.#root);
    if (dirs.length > 0) this.#bad('spools are left', { dirs });
  }

  async end(): Promise<void> {
    await kill(this.#worker);
    await this.#redis.end();
    this.#upstream.close();
    await this.#pool.end();
    await killAll();
  }
}
