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

/** A planned delay this near to a tier (share of the tier) is made equal to it, so that it takes one hop. */
const ROUNDING = 0.1

/** The delay that is stored and shown: a tier's own when the planned one is within 10 % of it. */
export function roundToTier(delayMs: number, tiers: readonly Tier[]): number {
  const near = tiers.find((tier) => Math.abs(tier.delayMs - delayMs) <= tier.delayMs * ROUNDING)
  return near?.delayMs ?? delayMs
}

/** A tier may be longer than what is left by this much: a little late is better than several hops more. */
const MAX_OVERSHOOT_MS = 100

/**
 * The next hop of a delivery that is due in `remainingMs`. Takes the largest tier that is not too long; what
 * is left afterwards comes back here. Less than the smallest tier, but too long to hold, takes the smallest:
 * a little late, never early.
 */
export function planHop(remainingMs: number, tiers: readonly Tier[]): Hop {
  const sorted = [...tiers].sort((left, right) => left.delayMs - right.delayMs)
  const fitting = sorted.filter((tier) => tier.delayMs - overshootMs(tier) <= remainingMs).at(-1)
  if (fitting) return { kind: 'tier', tier: fitting }
  const smallest = sorted[0]
  return remainingMs <= MAX_HOLD_MS || !smallest ? { kind: 'hold' } : { kind: 'tier', tier: smallest }
}

const overshootMs = (tier: Tier): number => Math.min(MAX_OVERSHOOT_MS, tier.delayMs * ROUNDING)

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
