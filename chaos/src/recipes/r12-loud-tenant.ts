import { setTimeout as wait } from 'node:timers/promises'
import { auditChecks } from '../checks.js'
import { isolationCheck } from '../isolation.js'
import type { Outcome, Recipe } from '../recipe.js'
import { waitsOf } from '../statistics.js'
import type { World } from '../world.js'
import { FLOW_LIMIT_MS } from './steady-load.js'

const QUIET = ['quiet-1', 'quiet-2', 'quiet-3']
const LOUD = 'loud'
/** Low, so that the loud one does not ask for more than a small machine has. */
const QUIET_RATE = 10
const LOUD_RATE = 10 * QUIET_RATE
/** What just started is slow for a while. */
const WARM_UP_MS = 5_000
const QUIET_MS = 30_000
const LOUD_MS = 45_000

export const loudTenant: Recipe = {
  id: 'R12',
  title: 'a loud tenant',
  scale: `${QUIET.length} tenants with ${QUIET_RATE} events/s each, one with ${LOUD_RATE} events/s for ${LOUD_MS / 1_000} s; one destination each`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, say } = world
  for (const tenantId of [...QUIET, LOUD]) {
    await traffic.addTenant(tenantId)
    await traffic.addDestination(tenantId, tenantId)
  }
  await traffic.untilKnown()
  const streamOf = (tenantId: string, ratePerSecond: number) => ({
    name: tenantId,
    tenantId,
    topics: ['order.paid'],
    ratePerSecond,
  })
  const beganAtMs = Date.now()
  await traffic.begin(...QUIET.map((tenantId) => streamOf(tenantId, QUIET_RATE)))
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS))) throw new Error('events do not flow')
  await wait(WARM_UP_MS)
  const quietAtMs = Date.now()
  await wait(QUIET_MS)
  say('  one tenant becomes loud')
  const loudAtMs = Date.now()
  await traffic.begin(streamOf(LOUD, LOUD_RATE))
  await wait(LOUD_MS)
  const overAtMs = Date.now()
  const audit = await traffic.settle()
  const flights = await traffic.flights((id) => id !== LOUD)
  const quiet = waitsOf(flights, quietAtMs, loudAtMs)
  const troubled = waitsOf(flights, loudAtMs, overAtMs)
  return {
    audit,
    faults: [],
    checks: [...auditChecks(audit), isolationCheck('the quiet tenants', quiet, troubled)],
  }
}
