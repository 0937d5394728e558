import { monotonicMs } from '../clock.js'
import { cpuSecondsByName } from '../cpu.js'

/** Processor time, and what was done meanwhile. */
export interface CpuUse {
  readonly name: string
  /** Deliveries, unless the table says otherwise. */
  readonly count: number
  readonly seconds: number
  readonly cpuSeconds: ReadonlyMap<string, number>
}

/** Begins to count the processor time of these processes; the function that it returns ends it. */
export function countCpu(pidByName: ReadonlyMap<string, number>): (name: string, count: number) => CpuUse {
  const before = cpuSecondsByName(pidByName)
  const beginMs = monotonicMs()
  return (name, count) => {
    const after = cpuSecondsByName(pidByName)
    return {
      name,
      count,
      seconds: (monotonicMs() - beginMs) / 1_000,
      cpuSeconds: new Map(
        [...after].map(([process, seconds]) => [process, seconds - (before.get(process) ?? 0)]),
      ),
    }
  }
}
