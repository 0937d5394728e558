import { Worker } from '@barnabas/tools'
import type { TargetInfo } from './bench-type.js'
import type { Load, LoadCommands } from './load-process.js'
import type { Memory, SenderMemoryCommands } from './memory-process.js'

const LOAD_FILE = new URL('./load-process.js', import.meta.url)
const SENDERS_FILE = new URL('./memory-process.js', import.meta.url)
/** Of each are its libraries, its buffers and what the first connection makes once. */
const FIRST_SENDERS = 10

const NAMES: Readonly<Record<Load, string>> = {
  nothing: 'Node and the worker of the bench',
  undici: 'with undici',
  registry: 'with all declarations',
  clients: 'with the client of every type',
}

/** What one open sender that has sent one event holds. */
export type SenderMemory = Memory

/** Resident memory of idle processes, each a fresh one. */
export async function measureProcesses(): Promise<{ name: string; bytes: number }[]> {
  const measured: { name: string; bytes: number }[] = []
  for (const [load, name] of Object.entries(NAMES) as [Load, string][]) {
    const worker = await Worker.start<LoadCommands>(LOAD_FILE)
    try {
      measured.push({ name, bytes: (await worker.ask('load', load)).residentBytes })
    } finally {
      await worker.stop()
    }
  }
  return measured
}

/** The mean over so many idle senders of one process, the first ones left out. */
export async function measureSenders(type: string, target: TargetInfo, count: number): Promise<SenderMemory> {
  const worker = await Worker.start<SenderMemoryCommands>(SENDERS_FILE)
  try {
    await worker.ask('openSenders', { type, target, count: FIRST_SENDERS })
    const before = await worker.ask('read', null)
    await worker.ask('openSenders', { type, target, count })
    const after = await worker.ask('read', null)
    return {
      residentBytes: (after.residentBytes - before.residentBytes) / count,
      heapBytes: (after.heapBytes - before.heapBytes) / count,
    }
  } finally {
    await worker.stop()
  }
}
