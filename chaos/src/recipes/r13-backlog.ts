import { setTimeout as wait } from 'node:timers/promises'
import { atMost, auditChecks, check } from '../checks.js'
import { isAcknowledged } from '../events.js'
import { isolationCheck } from '../isolation.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import { mostWithin, waitsOf } from '../statistics.js'
import type { World } from '../world.js'
import { FLOW_LIMIT_MS } from './steady-load.js'

const TENANT = 'acme'
const NEIGHBOUR_TENANT = 'other'
const DOWN = 'down'
const [NEAR, FAR] = ['near', 'far']
const NEIGHBOUR_RATE = 40
const BACKLOG = 2_000
const BACKLOG_RATE = 50
/** Of the destination, as configured. */
const RATE_PER_SECOND = 50
const TOLERANCE = 1.1
/** Long enough that what a rate may give at once is little of it. */
const WINDOW_SECONDS = 10
const WARM_UP_MS = 5_000
const QUIET_MS = 30_000
const DRAIN_LIMIT_MS = 180_000
const LOOK_MS = 500
const MS_PER_SECOND = 1_000

export const backlog: Recipe = {
  id: 'R13',
  title: 'a destination comes back to a backlog',
  scale: `well at ${BACKLOG_RATE} events/s, then connections refused for ${BACKLOG / BACKLOG_RATE} s for 1 h, ${BACKLOG} deliveries for 100,000, ${RATE_PER_SECOND} a second configured; ${NEIGHBOUR_RATE} events/s to a neighbour in the same tenant and as many in another`,
  // Probes spend attempts: a delivery that is one of them often must not end for it.
  stack: { env: { RETRY_SCHEDULE: `1s,2s${',4s'.repeat(12)}` } },
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, say } = world
  await addAll(world)
  const beganAtMs = Date.now()
  await traffic.begin(
    streamOf(TENANT, NEAR, NEIGHBOUR_RATE),
    streamOf(NEIGHBOUR_TENANT, FAR, NEIGHBOUR_RATE),
    // While it is well its load is part of what the neighbours are compared with.
    streamOf(TENANT, DOWN, BACKLOG_RATE),
  )
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS))) throw new Error('events do not flow')
  await wait(WARM_UP_MS)
  const quietAtMs = Date.now()
  await wait(QUIET_MS)
  say('  a backlog grows')
  const growsAtMs = Date.now()
  await traffic.behave(DOWN, 'closed')
  await wait((BACKLOG / BACKLOG_RATE) * MS_PER_SECOND)
  await traffic.end(DOWN)
  say('  the destination is back')
  const backAtMs = Date.now()
  await traffic.behave(DOWN, 'healthy')
  await untilDrained(world)
  const drainedAtMs = Date.now()
  const audit = await traffic.settle()
  const flights = await traffic.flights((id) => id !== DOWN)
  const quiet = waitsOf(flights, quietAtMs, growsAtMs)
  return {
    audit,
    faults: [],
    checks: [
      ...auditChecks(audit),
      ...(await drainChecks(world, backAtMs)),
      isolationCheck('neighbours while it was down', quiet, waitsOf(flights, growsAtMs, backAtMs)),
      isolationCheck('neighbours while it drained', quiet, waitsOf(flights, backAtMs, drainedAtMs)),
    ],
  }
}

const streamOf = (tenantId: string, topic: string, ratePerSecond: number) => ({
  name: topic,
  tenantId,
  topics: [topic],
  ratePerSecond,
})

/** Each destination has a topic of its own, of its name. */
async function addAll({ traffic }: World): Promise<void> {
  await traffic.addTenant(TENANT)
  await traffic.addTenant(NEIGHBOUR_TENANT)
  await traffic.addDestination(TENANT, NEAR, { topics: [NEAR] })
  await traffic.addDestination(NEIGHBOUR_TENANT, FAR, { topics: [FAR] })
  const limits = { rate: { count: RATE_PER_SECOND, per: 'second' } }
  await traffic.addDestination(TENANT, DOWN, { topics: [DOWN], limits, isSteady: false })
  await traffic.untilKnown()
}

async function untilDrained({ traffic }: World): Promise<void> {
  const endMs = Date.now() + DRAIN_LIMIT_MS
  while (Date.now() < endMs && (await traffic.unfinished(DOWN)) > 0) await wait(LOOK_MS)
}

async function drainChecks({ traffic }: World, backAtMs: number): Promise<Check[]> {
  const { arrivals } = await traffic.results()
  const atMs = arrivals
    .filter(({ destinationId, atMs: arrivedAtMs }) => destinationId === DOWN && arrivedAtMs >= backAtMs)
    .filter(isAcknowledged)
    .map((arrival) => arrival.atMs)
  const most = mostWithin(atMs, WINDOW_SECONDS * MS_PER_SECOND)
  const seconds = ((atMs.at(-1) ?? Number.NaN) - backAtMs) / MS_PER_SECOND
  return [
    check('the backlog was drained', atMs.length > 0, `${atMs.length} deliveries in ${seconds.toFixed(1)} s`),
    atMost(
      `deliveries within any ${WINDOW_SECONDS} s`,
      most,
      RATE_PER_SECOND * WINDOW_SECONDS * TOLERANCE,
      'requests',
    ),
  ]
}
