import { setTimeout as wait } from 'node:timers/promises'
import { atMost, auditChecks, check } from '../checks.js'
import { isAccepted } from '../events.js'
import { patiently } from '../patience.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import { LATE_MS, percentile, waitsOf } from '../statistics.js'
import { faultsOf, type World } from '../world.js'
import { addSteadyLoad, FLOW_LIMIT_MS, STEADY, STEADY_RATE, TENANT } from './steady-load.js'

const FULL_AWAY_MS = 60_000
const SHORT_AWAY_MS = 30_000
const UNAVAILABLE = 503
const P99 = 0.99

export const databaseAway: Recipe = {
  id: 'R5',
  title: 'PostgreSQL away',
  scale: `${FULL_AWAY_MS / 1_000} s for 5 min; ${STEADY_RATE} events/s, 2 deliveries each`,
  shortScale: `${SHORT_AWAY_MS / 1_000} s for 5 min; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, services, say, isShort } = world
  await addSteadyLoad(world)
  say('  PostgreSQL stops')
  await services.postgres.stop()
  const goneAtMs = Date.now()
  const status = await configStatus(world)
  await wait(isShort ? SHORT_AWAY_MS : FULL_AWAY_MS)
  say('  PostgreSQL starts')
  const returnsAtMs = Date.now()
  await services.postgres.start()
  const backAtMs = Date.now()
  const isFlowing = await traffic.untilFlowing(backAtMs, FLOW_LIMIT_MS)
  const audit = await traffic.settle()
  const faults = await faultsOf(world, [
    { label: 'PostgreSQL went away', atMs: goneAtMs },
    { label: 'PostgreSQL came back', atMs: backAtMs },
  ])
  return {
    audit,
    faults,
    checks: [
      ...auditChecks(audit),
      ...(await meanwhile(world, goneAtMs, returnsAtMs)),
      check('the configuration API answered 503', status === UNAVAILABLE, String(status)),
      check('deliveries flow afterwards', isFlowing, isFlowing ? 'yes' : 'no'),
    ],
  }
}

async function configStatus({ api }: World): Promise<number> {
  const answer = await api.send('GET', `/tenants/${TENANT}/destinations/${STEADY[0]}`)
  return answer.status
}

/** Neither publishing nor delivering needs the database. */
async function meanwhile({ traffic }: World, fromMs: number, toMs: number): Promise<Check[]> {
  const { events } = await traffic.results()
  const sent = events.filter(({ sentAtMs }) => sentAtMs > fromMs && sentAtMs < toMs)
  const failed = sent.filter((event) => !isAccepted(event))
  const waitMs = percentile(waitsOf(await traffic.flights(), fromMs, toMs), P99)
  return [
    check(
      'publishing went on meanwhile',
      sent.length > 0 && failed.length === 0,
      `${sent.length} sent, ${failed.length} failed`,
    ),
    atMost('deliveries went on meanwhile, with a p99 of', Math.round(waitMs), patiently(LATE_MS), 'ms'),
  ]
}
