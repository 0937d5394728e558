const NANOSECONDS_PER_MILLISECOND = 1e6

/** Milliseconds of the machine's monotonic clock: the same in every process, unlike `performance.now()`. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / NANOSECONDS_PER_MILLISECOND
