import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in ticks of 10 ms on every common platform (USER_HZ, proc(5)). */
const TICKS_PER_SECOND = 100

interface Stat {
  readonly parent: number
  /** Of the process itself, seconds. */
  readonly ownSeconds: number
  /** Of its children that have ended and were waited for, seconds. */
  readonly endedChildrenSeconds: number
}

function readStat(pid: string): Stat | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    // It ended between the listing and the reading.
    return null
  }
  // The command's name stands in parentheses and may hold spaces; what follows is plain (proc(5): field 3 on).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = (field: number): number => Number(fields[field - 3] ?? 0)
  return {
    parent: ticks(4),
    ownSeconds: (ticks(14) + ticks(15)) / TICKS_PER_SECOND,
    endedChildrenSeconds: (ticks(16) + ticks(17)) / TICKS_PER_SECOND,
  }
}

/** CPU seconds that each named process has used so far, with all its descendants. NaN without /proc. */
export function cpuSecondsByName(pidByName: ReadonlyMap<string, number>): Map<string, number> {
  const statByPid = new Map<number, Stat>()
  for (const entry of listProcesses()) {
    const stat = readStat(entry)
    if (stat) statByPid.set(Number(entry), stat)
  }
  const total = (pid: number): number => {
    const stat = statByPid.get(pid)
    if (!stat) return Number.NaN
    let seconds = stat.ownSeconds + stat.endedChildrenSeconds
    for (const [child, { parent }] of statByPid) if (parent === pid) seconds += total(child)
    return seconds
  }
  return new Map([...pidByName].map(([name, pid]) => [name, total(pid)]))
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}
