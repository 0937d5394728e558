let factor = 1

/**
 * Multiplies every limit of time in the verdicts; what must never happen stays what it is. For a run on a machine that others
 * use too, where the limits would judge the machine.
 */
export function setPatience(times: number): void {
  factor = times
}

/** A limit of time, in any unit, as this run judges it. */
export const patiently = (limit: number): number => limit * factor
