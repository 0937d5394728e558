import type { AppName } from '@barnabas/tools'
import { auditChecks, check, recoveryChecks } from '../checks.js'
import { isAccepted } from '../events.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import { faultsOf, type Moment, type World } from '../world.js'
import { addSteadyLoad, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

const REPLACED: readonly AppName[] = ['router', 'dispatcher', 'retrier', 'recorder']
/** Until a partition's new owner delivers, from the moment when the old one has left the group; and what waited for it. */
const HANDOVER = { firstSeconds: 2, clearedSeconds: 5 }
/** "About none": of a hundred deliveries. */
const DUPLICATES_SHARE = 0.01

export const rollingRestart: Recipe = {
  id: 'R2',
  title: 'rolling restart of all',
  scale: `a new one starts, then the old one gets SIGTERM, app after app; the gateway in its place; ${STEADY_RATE} events/s, 2 deliveries each, by a client that repeats`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, fleet, say } = world
  await addSteadyLoad(world, { isRetrying: true })
  const moments: Moment[] = []
  let isFlowing = true
  const untilFlowing = async (atMs: number): Promise<void> => {
    isFlowing = (await traffic.untilFlowing(atMs, FLOW_LIMIT_MS)) && isFlowing
  }
  for (const app of REPLACED) {
    say(`  ${app}: a new one starts`)
    const old = fleet.one(app)
    moments.push({ label: `a second ${app} started`, atMs: Date.now() })
    await fleet.start(app)
    await untilFlowing(Date.now())
    say(`  ${app}: the old one stops`)
    await fleet.stop(old)
    moments.push({ label: `the old ${app} left`, atMs: Date.now() })
    await untilFlowing(Date.now())
  }
  say('  gateway restarts')
  moments.push({ label: 'the gateway restarted', atMs: Date.now() })
  const { endedAtMs } = await fleet.restart(fleet.one('gateway'))
  await untilFlowing(endedAtMs)
  const audit = await traffic.settle()
  const faults = await faultsOf(world, moments)
  const duplicates = Math.round(audit.accepted * DUPLICATES_SHARE)
  return {
    audit,
    faults,
    checks: [
      ...auditChecks(audit, { duplicates: { atMost: duplicates, because: '1 % of the deliveries' } }),
      await publishCheck(world),
      check('deliveries flow again after each step', isFlowing, isFlowing ? 'yes' : 'no'),
      ...faults
        .filter(({ label }) => label.endsWith('left'))
        .flatMap((fault) => recoveryChecks([fault], HANDOVER)),
    ],
  }
}

async function publishCheck({ traffic }: World): Promise<Check> {
  const { events } = await traffic.results()
  const failed = events.filter((event) => !isAccepted(event)).length
  const repeated = events.filter(({ tries }) => tries > 1).length
  return check('no publish failed for good', failed === 0, `${failed} failed, ${repeated} were repeated`)
}
