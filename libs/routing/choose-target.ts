import { affinityScore, type StickyTargets } from './affinity.js';
import type { PlanStep, PlanTarget } from './route-plan.js';

/** What strategies choose by, beside the targets themselves. */
export interface ChoiceParts {
  readonly nowMs: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly isStream: boolean;
  /** The conversation a call belongs to; `null`: it sticks to nothing. */
  readonly affinityKey: string | null;
  readonly sticky: StickyTargets;
}

/**
 * One of the targets of a step that may be tried, by the step's strategy (RTE-3). A conversation comes to the same target as
 * long as it may be tried: weighted and round-robin steps spread conversations by a hash that all processes share, the
 * others remember what they chose.
 *
 * @param open not empty
 */
export function chooseTarget(step: PlanStep, open: readonly PlanTarget[], parts: ChoiceParts): PlanTarget {
  const [first] = open as readonly [PlanTarget];
  if (open.length === 1) return first;
  const { affinityKey, isStream, nowMs, random } = parts;
  switch (step.strategy) {
    case 'weighted':
      return affinityKey === null ? weighted(open, random) : byHash(open, affinityKey, false);
    case 'round-robin':
      return affinityKey === null ? inTurn(step, open) : byHash(open, affinityKey, true);
    case 'cost':
      return cheapest(open, affinityKey, random);
    case 'least-busy':
      return stuck(open, parts, () => least(open, (one) => one.state.inFlight / one.weight, random));
    case 'latency':
      return stuck(open, parts, () => least(open, (one) => one.state.expectedMs(nowMs, isStream), random));
  }
}

function weighted(open: readonly PlanTarget[], random: () => number): PlanTarget {
  let sum = 0;
  for (const one of open) sum += one.weight;
  let left = random() * sum;
  for (const one of open) {
    left -= one.weight;
    if (left < 0) return one;
  }
  return open[open.length - 1] as PlanTarget;
}

/** Among equally cheap ones a conversation goes by its hash. A target without a known price comes last. */
function cheapest(open: readonly PlanTarget[], affinityKey: string | null, random: () => number): PlanTarget {
  const costs = open.map((one) => one.costNanos() ?? Number.MAX_SAFE_INTEGER);
  const lowest = Math.min(...costs);
  const equals = open.filter((_one, at) => costs[at] === lowest);
  return affinityKey === null ? least(equals, () => 0, random) : byHash(equals, affinityKey, true);
}

/** The next in the order of the step that may be tried. */
function inTurn(step: PlanStep, open: readonly PlanTarget[]): PlanTarget {
  const { targets, turn } = step;
  for (let i = 0; i < targets.length; i++) {
    const at = (turn.next + i) % targets.length;
    const one = targets[at] as PlanTarget;
    if (!open.includes(one)) continue;
    turn.next = (at + 1) % targets.length;
    return one;
  }
  return open[0] as PlanTarget;
}

/** The least by a measure; among equals by chance, so that not all go to the one that stands first. */
function least(open: readonly PlanTarget[], measure: (one: PlanTarget) => number, random: () => number): PlanTarget {
  let best = open[0] as PlanTarget;
  let bestAt = measure(best);
  let equals = 1;
  for (let i = 1; i < open.length; i++) {
    const one = open[i] as PlanTarget;
    const at = measure(one);
    if (at > bestAt) continue;
    equals = at < bestAt ? 1 : equals + 1;
    if (at < bestAt || random() * equals < 1) best = one;
    bestAt = at;
  }
  return best;
}

/** Weighted rendezvous hashing: the same key finds the same target everywhere, and only its own conversations move when one is away. */
function byHash(open: readonly PlanTarget[], key: string, isEqual: boolean): PlanTarget {
  let best = open[0] as PlanTarget;
  let bestScore = -Infinity;
  for (const one of open) {
    const score = affinityScore(key, one.id, isEqual ? 1 : one.weight);
    if (score > bestScore) [best, bestScore] = [one, score];
  }
  return best;
}

function stuck(
  open: readonly PlanTarget[],
  { affinityKey, sticky, nowMs }: ChoiceParts,
  choose: () => PlanTarget,
): PlanTarget {
  if (affinityKey === null) return choose();
  const before = sticky.find(affinityKey, nowMs);
  const chosen = open.find((one) => one.id === before) ?? choose();
  sticky.remember(affinityKey, chosen.id, nowMs);
  return chosen;
}
