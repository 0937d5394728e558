/** Value below which `share` (0…1) of the sorted values lie; NaN when there are none. */
export function percentile(sorted: Float64Array, share: number): number {
  const index = Math.min(Math.ceil(share * sorted.length), sorted.length) - 1
  return sorted[Math.max(index, 0)] ?? Number.NaN
}

export interface Throughput {
  readonly events: number
  readonly seconds: number
  readonly perSecond: number
}

/**
 * Rate at the receiver, from the first arrival after the warm-up to the very last one: what is still on its way
 * when publishing ends counts with the time that it takes. Zeros are events that never arrived. A `share` below 1 leaves
 * the last arrivals out.
 */
export function throughputOf(arrivedAtMs: Float64Array, warmUpMs: number, share = 1): Throughput {
  const all = arrivedAtMs.filter((atMs) => atMs > 0).sort()
  const arrivals = all.subarray(0, Math.ceil(all.length * share))
  const warmMs = (arrivals[0] ?? 0) + warmUpMs
  const counted = arrivals.filter((atMs) => atMs >= warmMs)
  const seconds = ((counted.at(-1) ?? 0) - (counted[0] ?? 0)) / 1_000
  // The first one opens the interval, so that n arrivals span n - 1 gaps.
  return { events: counted.length, seconds, perSecond: seconds > 0 ? (counted.length - 1) / seconds : 0 }
}

export interface Arrivals {
  readonly count: number
  readonly seconds: number
  readonly perSecond: number
  /** Longest time in which nothing arrived, the ends included. */
  readonly longestPauseMs: number
}

/** What arrived from `fromMs` on and before `toMs`. */
export function arrivalsBetween(arrivedAtMs: Float64Array, fromMs: number, toMs: number): Arrivals {
  const arrivals = arrivedAtMs.filter((atMs) => atMs >= fromMs && atMs < toMs).sort()
  let [longestPauseMs, lastMs] = [0, fromMs]
  for (const atMs of [...arrivals, toMs]) {
    longestPauseMs = Math.max(longestPauseMs, atMs - lastMs)
    lastMs = atMs
  }
  const seconds = (toMs - fromMs) / 1_000
  return { count: arrivals.length, seconds, perSecond: arrivals.length / seconds, longestPauseMs }
}

export interface Latency {
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

/** Milliseconds from `fromMs` to `toMs` of each event number from `first`, a whole number, on that has both. */
export function latencyOf(fromMs: Float64Array, toMs: Float64Array, first: number): Latency {
  const waits: number[] = []
  for (let number = first; number < fromMs.length; number++) {
    const [from, to] = [fromMs[number] ?? 0, toMs[number] ?? 0]
    if (from > 0 && to > 0) waits.push(to - from)
  }
  return summaryOf(waits)
}

/** The percentiles of waits in milliseconds, which come in any order. */
export function summaryOf(waits: readonly number[]): Latency {
  const sorted = Float64Array.from(waits).sort()
  return {
    samples: sorted.length,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    maxMs: sorted.at(-1) ?? Number.NaN,
  }
}
