import { SECOND } from './durations.js'

/** A fixed delay and the name that its Kafka topic carries, e.g. `{ name: '5m', delayMs: 300000 }`. */
export interface Tier {
  readonly name: string
  readonly delayMs: number
}

/** Where a delivery waits next: in a tier, or (`hold`) in the dispatcher's own timers. */
export type Hop = { readonly kind: 'tier'; readonly tier: Tier } | { readonly kind: 'hold' }

/**
 * Milliseconds that a dispatcher holds a delivery in memory rather than sending it through a tier. Larger
 * would keep partitions' commit points back, smaller would cost a hop for every jitter. Chosen, not measured.
 */
export const MAX_HOLD_MS = 5 * SECOND

/** A planned delay is moved by at most this share of itself (of the tier, when it is near one) to save hops. */
const ROUNDING = 0.1

/**
 * The delay that is stored and shown: a tier's own when the planned one is within 10 % of it, else the sum of few
 * tiers within 10 % of the plan. Delays that are log-uniform in 1 s … 24 h then take 2.2 hops on average and 6 at
 * most with the default tiers, 5.3 and 47 with `1m,5m,30m`; without the sums it would be 5.0 and 21, 7.1 and 57.
 */
export function roundToTier(delayMs: number, tiers: readonly Tier[]): number {
  const near = tiers.find((tier) => Math.abs(tier.delayMs - delayMs) <= tier.delayMs * ROUNDING)
  if (near) return near.delayMs
  const moveMs = delayMs * ROUNDING
  let leftMs = delayMs
  for (const { delayMs: tierMs } of [...tiers].sort((left, right) => right.delayMs - left.delayMs)) {
    leftMs %= tierMs
    // What a dispatcher holds costs no hop: no reason to move the delay for it.
    if (leftMs <= MAX_HOLD_MS) return delayMs
    if (leftMs <= moveMs) return delayMs - leftMs
    if (tierMs - leftMs <= moveMs) return delayMs - leftMs + tierMs
  }
  return delayMs
}

/** What is left of a delay when it has passed through the tiers that fit, largest first. Milliseconds. */
function remainderMs(delayMs: number, tiers: readonly Tier[]): number {
  let leftMs = delayMs
  for (const tier of [...tiers].sort((left, right) => right.delayMs - left.delayMs)) leftMs %= tier.delayMs
  return leftMs
}

/** Odd tiers may leave something again after a step up; with tiers that are multiples one step is enough. */
const MAX_STEPS_UP = 20

/** The delay, or the next longer one, that can be measured: what the tiers leave of it can be held. Milliseconds. */
export function measuredUpMs(delayMs: number, tiers: readonly Tier[]): number {
  const smallestMs = smallestOf(tiers)
  let measuredMs = delayMs
  for (let step = 0; step < MAX_STEPS_UP; step++) {
    const leftMs = remainderMs(measuredMs, tiers)
    if (leftMs <= MAX_HOLD_MS || smallestMs === Infinity) break
    measuredMs += smallestMs - leftMs
  }
  return measuredMs
}

/**
 * The delay that is stored and shown for a planned one: rounded to a tier (`roundToTier`), and what is too long to
 * hold and shorter than every tier takes the smallest one. Never above `maxMs`: a delay that would be is not rounded,
 * and what the tiers cannot measure of it is shortened to what a dispatcher holds. Milliseconds.
 */
export function reachableDelayMs(delayMs: number, tiers: readonly Tier[], maxMs = Infinity): number {
  const reachedMs = measuredUpMs(roundToTier(delayMs, tiers), tiers)
  if (reachedMs <= maxMs) return reachedMs
  const plainMs = Math.min(delayMs, maxMs)
  const leftMs = remainderMs(plainMs, tiers)
  return leftMs <= MAX_HOLD_MS || smallestOf(tiers) === Infinity ? plainMs : plainMs - leftMs + MAX_HOLD_MS
}

/** By how much a delay can be made longer without a hop that is longer than that. Milliseconds. */
export const roomForJitterMs = (delayMs: number, tiers: readonly Tier[]): number => {
  const smallestMs = smallestOf(tiers)
  if (smallestMs <= MAX_HOLD_MS || smallestMs === Infinity) return Infinity
  return Math.max(0, MAX_HOLD_MS - remainderMs(delayMs, tiers))
}

const smallestOf = (tiers: readonly Tier[]): number => Math.min(...tiers.map((tier) => tier.delayMs))

/**
 * A tier may be longer than what is left by this much: a hop takes a little longer than its tier, and without it
 * two hops of 12 h would become one and twenty short ones. A third of the 1.5 s that a retry may be late.
 */
const MAX_OVERSHOOT_MS = 500
/** The same for short tiers, as a share of them. */
const OVERSHOOT_SHARE = 0.02

/**
 * The next hop of a delivery that is due in `remainingMs`. Takes the largest tier that is not too long; what
 * is left afterwards comes back here. Less than the smallest tier, but too long to hold, takes the smallest:
 * a little late, never early.
 */
export function planHop(remainingMs: number, tiers: readonly Tier[]): Hop {
  let smallest: Tier | undefined
  let fitting: Tier | undefined
  for (const tier of tiers) {
    if (!smallest || tier.delayMs < smallest.delayMs) smallest = tier
    const fits = tier.delayMs - overshootMs(tier) <= remainingMs
    if (fits && (!fitting || tier.delayMs > fitting.delayMs)) fitting = tier
  }
  if (fitting) return { kind: 'tier', tier: fitting }
  return remainingMs <= MAX_HOLD_MS || !smallest ? { kind: 'hold' } : { kind: 'tier', tier: smallest }
}

const overshootMs = (tier: Tier): number => Math.min(MAX_OVERSHOOT_MS, tier.delayMs * OVERSHOOT_SHARE)

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

/** The tier of a delay, named in its largest whole unit: `2h`, `90s`, `1500ms`. */
export function tierOf(delayMs: number): Tier {
  const [unit, unitMs] = UNITS.find(([, candidateMs]) => delayMs % candidateMs === 0) ?? ['ms', 1]
  return { name: `${delayMs / unitMs}${unit}`, delayMs }
}

/** The tier with this name, or null when it is no tier's name. */
export function tierFromName(name: string): Tier | null {
  const [, count, unit] = /^(\d+)(h|m|s|ms)$/.exec(name) ?? []
  const unitMs = UNITS.find(([candidate]) => candidate === unit)?.[1]
  return count === undefined || unitMs === undefined ? null : { name, delayMs: Number(count) * unitMs }
}
