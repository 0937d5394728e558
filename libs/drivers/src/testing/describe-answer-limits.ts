import { describe, expect, it } from '@jest/globals'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Outcome } from '@barnabas/domain'
import { HOSTILE_ANSWERS, HostileTarget, type HostileAnswer } from './hostile-answers.js'

/** What comes of a request; `delivered` for whoever looks at a status and takes the event as delivered by it. */
export type Ended = Outcome['code'] | 'delivered'

/** A client of an HTTP API, and what it makes of answers. */
export interface AnswerReader {
  /**
   * Asks the API at this origin once, by a client of its own, which it closes. Either gives up when `signal` aborts, or
   * by itself after `limitMs`.
   */
  ask(url: string, signal: AbortSignal, limitMs: number): Promise<Ended>
  /** Of a success whose body cannot be used. */
  readonly unreadable: Ended
  /** Of one whose body is larger than any that is read; as `unreadable` unless given. */
  readonly large?: Ended
  /** Of one whose body stops being valid HTTP; as `unreadable` unless given. */
  readonly broken?: Ended
  /** Of a success whose body has not come by the time limit. */
  readonly late: Ended
  /** Of the status 503. */
  readonly failure: Ended
  /** Of that status when the body has not come by the time limit; as `failure` unless given. */
  readonly lateFailure?: Ended
  /** Of no answer in time; `timeout` unless given. */
  readonly unanswered?: Ended
  /** Of an answer that is none in HTTP; `protocol_error` unless given. */
  readonly invalid?: Ended
  /** Of one answer; the limit of connections unless given. */
  readonly maxTakenBytes?: number
}

/** From the beginning of an answer that drips. */
const DRIP_MS = 400
/** Of a request that is answered by drips, and of one that need not wait: the machine may be busy. */
const [DRIP_LIMIT_MS, LIMIT_MS] = [1_000, 30_000]
/** What a busy machine adds to a time limit. */
const MAX_LATE_MS = 10_000
/** What the buffers of the system take of a connection of this machine, besides the 2 MiB that are read at most. */
const MAX_TAKEN_BYTES = 20_000_000
/**
 * Of the process, targets included, while it takes all answers at once, and of what it keeps of them. Reading one whole
 * would take 64 MiB (the bomb) to 10 GB.
 */
const [MAX_GROWTH_BYTES, MAX_KEPT_BYTES] = [64_000_000, 32_000_000]
const SAMPLE_EVERY_MS = 5
const ROUNDS = 3
/** An answer is given up after half of it. */
const ROUND_LIMIT_MS = 60_000

/** Each client meets all hostile answers at once: that takes the time of the slowest, and bounds all of them together. */
export function describeAnswerLimits(name: string, reader: AnswerReader): void {
  describe(`the limits of answers to ${name}`, () => {
    it(
      'hold for every hostile answer: the status decides, time and memory are bounded',
      async () => {
        // Libraries are loaded with the first request.
        await meet(reader, WARM_UP)
        let met = await meetAll(reader)
        // Who reads without bound does so each time; what the machine and the engine do besides only adds to some rounds.
        for (let round = 1; round < ROUNDS && costsTooMuch(met); round++) {
          const again = await meetAll(reader)
          const { answers } = again.cost.lateMs < met.cost.lateMs ? again : met
          met = { answers, cost: least(met.cost, again.cost) }
        }
        expect(byName(met.answers.map(({ ended }) => ended))).toEqual(
          byName(HOSTILE_ANSWERS.map((answer) => expectedOf(reader, answer))),
        )
        const maxTakenBytes = reader.maxTakenBytes ?? MAX_TAKEN_BYTES
        expect(met.answers.filter(({ takenBytes }) => takenBytes > maxTakenBytes)).toEqual([])
        expect(met.cost.lateMs).toBeLessThan(MAX_LATE_MS)
        expect(met.cost.grownBytes).toBeLessThan(MAX_GROWTH_BYTES)
        expect(met.cost.keptBytes).toBeLessThan(MAX_KEPT_BYTES)
      },
      ROUNDS * ROUND_LIMIT_MS,
    )
  })
}

interface Cost {
  /** Of the answer that took longest, beyond its limit. */
  readonly lateMs: number
  readonly grownBytes: number
  readonly keptBytes: number
}

interface Met {
  readonly answers: readonly { readonly ended: Ended; readonly takenBytes: number }[]
  readonly cost: Cost
}

const costsTooMuch = ({ cost }: Met): boolean =>
  cost.lateMs >= MAX_LATE_MS || cost.grownBytes >= MAX_GROWTH_BYTES || cost.keptBytes >= MAX_KEPT_BYTES

const least = (one: Cost, other: Cost): Cost => ({
  lateMs: Math.min(one.lateMs, other.lateMs),
  grownBytes: Math.min(one.grownBytes, other.grownBytes),
  keptBytes: Math.min(one.keptBytes, other.keptBytes),
})

async function meetAll(reader: AnswerReader): Promise<Met> {
  const memory = new Memory()
  const answers = await Promise.all(HOSTILE_ANSWERS.map((answer) => meet(reader, answer)))
  const lateMs = Math.max(...answers.map((answer) => answer.lateMs))
  return { answers, cost: { lateMs, ...(await memory.stop()) } }
}

const WARM_UP: HostileAnswer = { name: 'not HTTP', tells: 'nothing', pace: 'whole', head: 'no HTTP\r\n\r\n' }

const byName = (ended: readonly Ended[]): Record<string, Ended | undefined> =>
  Object.fromEntries(HOSTILE_ANSWERS.map(({ name }, index) => [name, ended[index]]))

function expectedOf(reader: AnswerReader, { tells, pace, isBroken }: HostileAnswer): Ended {
  const { unreadable, failure, unanswered = 'timeout', invalid = 'protocol_error' } = reader
  const { lateFailure = failure, broken = unreadable, large = unreadable } = reader
  if (pace === 'drip') return { nothing: unanswered, 503: lateFailure, 200: reader.late }[tells]
  if (tells !== 200) return tells === 503 ? failure : invalid
  if (isBroken === true) return broken
  return pace === 'flood' ? large : unreadable
}

async function meet(reader: AnswerReader, answer: HostileAnswer) {
  const target = await HostileTarget.start(answer)
  const limit = new AbortController()
  const limitMs = answer.pace === 'drip' ? DRIP_LIMIT_MS : LIMIT_MS
  const abort = (): void => limit.abort('timeout')
  const timers = [setTimeout(abort, LIMIT_MS)]
  // Not before what came until then was read, however late the timer is: the client runs in this process.
  const abortSoon = (): void => void setImmediate(abort)
  if (answer.pace === 'drip') target.onAnswer = () => timers.push(setTimeout(abortSoon, DRIP_MS))
  const beganAtMs = performance.now()
  try {
    const ended = await reader.ask(target.url, limit.signal, limitMs)
    const lateMs = performance.now() - beganAtMs - limitMs
    await target.stop()
    return { name: answer.name, ended, lateMs, takenBytes: target.takenBytes }
  } finally {
    timers.forEach(clearTimeout)
    await target.stop()
  }
}

/** Follows the memory of this process from a state without garbage. */
class Memory {
  private readonly collect: () => void
  private readonly before
  private mostBytes = 0
  private readonly timer

  constructor() {
    setFlagsFromString('--expose-gc')
    this.collect = runInNewContext('gc') as () => void
    this.collect()
    this.before = process.memoryUsage()
    this.timer = setInterval(() => {
      this.mostBytes = Math.max(this.mostBytes, process.memoryUsage.rss())
    }, SAMPLE_EVERY_MS)
  }

  async stop(): Promise<{ readonly grownBytes: number; readonly keptBytes: number }> {
    clearInterval(this.timer)
    // Connections that were destroyed in this turn are let go in the next.
    await nextTurn()
    this.collect()
    const { heapUsed, external } = process.memoryUsage()
    return {
      grownBytes: this.mostBytes - this.before.rss,
      keptBytes: heapUsed + external - this.before.heapUsed - this.before.external,
    }
  }
}
