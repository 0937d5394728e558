import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Sender } from '@barnabas/drivers'
import { serve } from '@barnabas/tools'
import type { TargetInfo } from './bench-type.js'
import { Samples } from './events.js'
import { deliver, openSender } from './senders.js'

/** What this process can be asked. What it has loaded or opened stays until it ends. */
export type SenderMemoryCommands = {
  /** Opens senders of one type that have sent one event each. */
  openSenders: { input: { type: string; target: TargetInfo; count: number }; output: null }
  read: { input: null; output: Memory }
}

export interface Memory {
  readonly residentBytes: number
  /** Objects of JavaScript, and buffers outside its heap. */
  readonly heapBytes: number
}

/** Connections that are made at once. */
const AT_ONCE = 10
/** Timers of connecting have passed and sockets have settled by then. */
const SETTLE_MS = 300

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const samples = new Samples(randomBytes(4).toString('hex'))
const senders: Sender[] = []

async function openSenders({ type, target, count }: SenderMemoryCommands['openSenders']['input']) {
  for (let opened = 0; opened < count; opened += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - opened) }, () => openSender(type, target))
    senders.push(...some)
    await Promise.all(some.map((sender) => deliver(sender, samples.next())))
  }
  return null
}

/** Twice: the second one frees what finalizers of the first let go. */
async function read(): Promise<Memory> {
  await wait(SETTLE_MS)
  collectGarbage()
  await wait(SETTLE_MS)
  collectGarbage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { residentBytes: rss, heapBytes: heapUsed + external }
}

serve<SenderMemoryCommands>({ openSenders, read })
