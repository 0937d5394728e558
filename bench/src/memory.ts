import { readFileSync } from 'node:fs'

const BYTES_PER_KIB = 1_024

/** Resident memory of a process in bytes, as proc(5) tells it; NaN without /proc, or when it has ended. */
export function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kib === undefined ? Number.NaN : Number(kib) * BYTES_PER_KIB
  } catch {
    return Number.NaN
  }
}

/** What 10,000 more things would take, in bytes, when `count` took what lies between the two readings. */
export const per10k = (beforeBytes: number, afterBytes: number, count: number): number =>
  ((afterBytes - beforeBytes) / count) * 10_000
