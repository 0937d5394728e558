import { check } from './checks.js'
import { patiently } from './patience.js'
import type { Check } from './recipe.js'
import { percentile } from './statistics.js'

const P99 = 0.99
/** What neighbours may cost. */
const MAX_RATIO = 1.5
const MAX_MS = 1_000
/** Below it a ratio tells of the machine: nine processes share two cores, and Kafka alone stops for 20 to 50 ms to collect garbage. */
const NOISE_MS = 100

/** Compares the waits from 202 to receiver of those who did nothing, without and with the trouble of others, in milliseconds. */
export function isolationCheck(
  who: string,
  quietMs: readonly number[],
  troubledMs: readonly number[],
): Check {
  const [quiet, troubled] = [percentile(quietMs, P99), percentile(troubledMs, P99)]
  const [noiseMs, maxMs] = [patiently(NOISE_MS), patiently(MAX_MS)]
  const isNoise = troubled <= noiseMs
  const hasBoth = quietMs.length > 0 && troubledMs.length > 0
  return check(
    `p99 of ${who} at most ${MAX_RATIO} times its undisturbed one (or ${noiseMs} ms), and ${maxMs} ms`,
    hasBoth && troubled <= maxMs && (isNoise || troubled <= quiet * MAX_RATIO),
    `${Math.round(quiet)} ms → ${Math.round(troubled)} ms, of ${quietMs.length} and ${troubledMs.length} deliveries`,
  )
}
