import { setTimeout as wait } from 'node:timers/promises'
import { auditChecks, check, recoveryChecks } from '../checks.js'
import { ACCEPTED, type PublishedEvent } from '../events.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import { faultsOf, type World } from '../world.js'
import { addSteadyLoad, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

const FULL_AWAY_MS = 60_000
const SHORT_AWAY_MS = 20_000
const PUBLISH_TIMEOUT_MS = 2_000
const UNAVAILABLE = 503
/** Clients look for a broker again each few seconds, and then groups form anew. Chosen. */
const LIMITS = { firstSeconds: 30, clearedSeconds: 45 }

export const kafkaAway: Recipe = {
  id: 'R4',
  title: 'all of Kafka away',
  scale: `kill -9, ${FULL_AWAY_MS / 1_000} s away; ${STEADY_RATE} events/s, 2 deliveries each`,
  shortScale: `kill -9, ${SHORT_AWAY_MS / 1_000} s away; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: { env: { PUBLISH_TIMEOUT_MS: String(PUBLISH_TIMEOUT_MS) } },
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, services, say, isShort } = world
  await addSteadyLoad(world)
  say('  kill -9 of Kafka')
  await services.kafka.kill9()
  const goneAtMs = Date.now()
  await wait(isShort ? SHORT_AWAY_MS : FULL_AWAY_MS)
  say('  Kafka starts')
  const returnsAtMs = Date.now()
  await services.kafka.start()
  const backAtMs = Date.now()
  const isFlowing = await traffic.untilFlowing(backAtMs, FLOW_LIMIT_MS)
  const audit = await traffic.settle()
  const faults = await faultsOf(world, [{ label: 'Kafka came back', atMs: backAtMs }])
  const { events } = await traffic.results()
  const meanwhile = events.filter(({ sentAtMs }) => sentAtMs > goneAtMs && sentAtMs < returnsAtMs)
  return {
    audit,
    faults,
    checks: [
      ...auditChecks(audit),
      ...answersWithoutKafka(meanwhile, returnsAtMs),
      check('deliveries flow afterwards, by themselves', isFlowing, isFlowing ? 'yes' : 'no'),
      ...recoveryChecks(faults, LIMITS),
    ],
  }
}

function answersWithoutKafka(sent: readonly PublishedEvent[], returnsAtMs: number): Check[] {
  // What was sent just before Kafka came back may rightly be accepted.
  const answered = sent.filter(({ answeredAtMs }) => answeredAtMs < returnsAtMs)
  const count = (status: number): number => answered.filter((event) => event.status === status).length
  const [unavailable, accepted] = [count(UNAVAILABLE), count(ACCEPTED)]
  return [
    check('no 202 without Kafka', accepted === 0, String(accepted)),
    check(
      'every publish without Kafka was answered with 503',
      unavailable > 0 && unavailable === answered.length,
      `${unavailable} of ${answered.length}`,
    ),
  ]
}
