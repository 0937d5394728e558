import type { AppName } from '@barnabas/tools'
import { auditChecks, check } from '../checks.js'
import type { Outcome, Recipe } from '../recipe.js'
import { faultsOf, type Moment, type World } from '../world.js'
import { addSteadyLoad, DELIVERIES_PER_EVENT, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

const SCALED: readonly AppName[] = ['router', 'dispatcher']
const MOST = 4
const ROUNDS = 2
/** What was in flight when a partition moved. */
const WINDOW_SECONDS = 1

export const rebalanceStorm: Recipe = {
  id: 'R15',
  title: 'rebalance storm',
  scale: `routers and dispatchers 1 → ${MOST} → 1, ${ROUNDS} times; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, say } = world
  await addSteadyLoad(world)
  const moments: Moment[] = []
  let isFlowing = true
  for (let round = 1; round <= ROUNDS; round++) {
    for (const step of [grow, shrink]) {
      say(`  round ${round}: ${step === grow ? 'more' : 'fewer'}`)
      moments.push({ label: step === grow ? 'more came' : 'they left', atMs: Date.now() })
      await step(world)
      isFlowing = (await traffic.untilFlowing(Date.now(), FLOW_LIMIT_MS)) && isFlowing
    }
  }
  const audit = await traffic.settle()
  const moves = moments.length * SCALED.length * (MOST - 1)
  return {
    audit,
    faults: await faultsOf(world, moments),
    checks: [
      ...auditChecks(audit, {
        duplicates: {
          atMost: moves * WINDOW_SECONDS * STEADY_RATE * DELIVERIES_PER_EVENT,
          because: `${WINDOW_SECONDS} s of deliveries for each of ${moves} moves`,
        },
      }),
      check('deliveries flow again after each step', isFlowing, isFlowing ? 'yes' : 'no'),
    ],
  }
}

async function grow({ fleet }: World): Promise<void> {
  for (let count = 1; count < MOST; count++) await Promise.all(SCALED.map((app) => fleet.start(app)))
}

/** The oldest leave, so that those that stay have to take everything over. */
async function shrink({ fleet }: World): Promise<void> {
  for (let count = 1; count < MOST; count++) {
    await Promise.all(SCALED.map((app) => fleet.stop(fleet.one(app))))
  }
}
