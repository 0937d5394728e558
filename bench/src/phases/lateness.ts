import { createDestination, loggedAttempts, untilLogged } from '../api.js'
import type { Bench } from '../bench.js'
import { latenessByAttempt, type Lateness } from '../lateness.js'
import { countCpu } from '../load/cpu-use.js'
import { drain } from '../load/measure-load.js'
import type { SeenAttempt } from '../load/receiver.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import { cpuTable } from '../report/figures.js'
import { table } from '../report/table.js'
import { SHORT_TIERS_MS } from '../stack.js'
import { latencyOf, summaryOf } from '../statistics.js'
import { latencyRow } from './latency.js'
import type { Phase } from './phase.js'

/** Of three destinations together; a quarter of it is what a busy one gives its retries. Chosen. */
const RATE_PER_SECOND = 60
/** The last event waits for every tier, with the jitter of each. */
const CHAIN_MS = SHORT_TIERS_MS.reduce((sum, delayMs) => sum + delayMs * 1.1, 0)
/** Beyond the chain: what is later than this is missing. */
const GRACE_MS = 10_000
const LOOK_MS = 100

/**
 * Three destinations refuse each delivery's first attempt, its first two, its first three, with a status that opens no
 * breaker: so every retry is due when its tier ends, and what it is late is the tiers' own.
 */
async function run(bench: Bench): Promise<string> {
  const { target, generator, receiver, plan, say } = bench
  say('lateness of retries …')
  const { url } = await receiver.ask('listenRefusing', null)
  const tenantIds = SHORT_TIERS_MS.map((_delayMs, index) => `refuses-${index + 1}`)
  for (const [index, tenantId] of tenantIds.entries())
    await createDestination(target, tenantId, `${url}${index + 1}`)
  const phase = 'lateness'
  await receiver.ask('begin', { phase, fanOut: 1 })
  const cpuUsed = countCpu(bench.pidByName)
  const sent = await generator.ask('openLoop', {
    events: { target, phase, tenantIds, dataBytes: USUAL_BYTES },
    loop: { ratePerSecond: RATE_PER_SECOND, durationMs: plan.latenessMs },
  })
  const { arrivedAtMs } = await drain(bench, sent.accepted, GRACE_MS)
  const seen = await untilAttempted(bench, expectedAttempts(sent.acceptedAtMs))
  await untilChainsLogged(bench, `${phase}-`, sent.acceptedAtMs)
  const use = cpuUsed(`${RATE_PER_SECOND} events/s`, seen.length)
  const logged = (await Promise.all(tenantIds.map((tenantId) => loggedAttempts(target, tenantId)))).flat()
  const latenesses = latenessByAttempt(logged, seen)
  const firstAttempts = latencyOf(sent.acceptedAtMs, arrivedAtMs, 0)
  const rows = [
    [...latencyRow('first attempts: 202 read → received', firstAttempts), '–', '–'],
    ...latenesses.map(lateRow),
  ]
  const headings = ['lateness, ms', 'attempts', 'p50', 'p99', 'p99.9', 'max', 'early', 'missing']
  return [
    table(headings, rows),
    `${RATE_PER_SECOND} events/s to three destinations. Late: arrival of the retry minus \`next_attempt_at\` of the ` +
      'attempt before it, which is the failure, the tier and its jitter.',
    cpuTable([use], 'attempt'),
  ].join('\n\n')
}

function lateRow({ attempt, waitsMs, early, missing }: Lateness): string[] {
  const tierSeconds = (SHORT_TIERS_MS[attempt - 1] ?? Number.NaN) / 1_000
  return [
    ...latencyRow(`tier ${tierSeconds} s: due → received`, summaryOf(waitsMs)),
    String(early),
    String(missing),
  ]
}

/** Event number i goes to the destination that refuses i mod 3 + 1 attempts, and accepts the next one. */
const attemptsOf = (number: number): number => (number % SHORT_TIERS_MS.length) + 2

const expectedAttempts = (acceptedAtMs: Float64Array): number =>
  acceptedAtMs.reduce((sum, atMs, number) => sum + (atMs > 0 ? attemptsOf(number) : 0), 0)

/** Resolves to all attempts that came when every one of them has, or when the time is over. */
async function untilAttempted({ receiver }: Bench, expected: number): Promise<SeenAttempt[]> {
  const endMs = Date.now() + CHAIN_MS + GRACE_MS
  let seen = await receiver.ask('collectAttempts', null)
  while (seen.length < expected && Date.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    seen = await receiver.ask('collectAttempts', null)
  }
  return seen
}

/** The last event of each destination ends last there; a log that lacks it shows as fewer attempts in the table. */
async function untilChainsLogged(
  { target }: Bench,
  prefix: string,
  acceptedAtMs: Float64Array,
): Promise<void> {
  const last = SHORT_TIERS_MS.map((_delayMs, index) => acceptedAtMs.length - 1 - index).filter(
    (number) => number >= 0,
  )
  await Promise.all(
    last.map((number) =>
      untilLogged(target, {
        eventId: `${prefix}${number}`,
        attempts: attemptsOf(number),
        timeoutMs: GRACE_MS,
      }),
    ),
  )
}

export const lateness: Phase = { name: 'lateness', stack: 'short-retries', run }
