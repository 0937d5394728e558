import { setTimeout as wait } from 'node:timers/promises'
import { APPS, type AppName } from '@barnabas/tools'
import { auditChecks, check, recoveryChecks } from '../checks.js'
import type { Outcome, Recipe } from '../recipe.js'
import { faultsOf, type Moment, type World } from '../world.js'
import { addSteadyLoad, DELIVERIES_PER_EVENT, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

const ROUNDS = 3
const PAIRS: readonly (readonly AppName[])[] = [
  ['router', 'dispatcher'],
  ['gateway', 'retrier'],
]
/** A kill falls anywhere between two commits, which are a second apart. */
const RANDOM_WAIT_MS = 2_000
/** A dead member of a group is missed after its session, 10 s. */
const LIMITS = { firstSeconds: 15, clearedSeconds: 30 }
/** Finished deliveries are committed each second; with what is in flight, two seconds' worth may come again. */
const WINDOW_SECONDS = 2

export const killApps: Recipe = {
  id: 'R1',
  title: 'kill -9 of each app',
  scale: `each of ${APPS.length} apps ${ROUNDS} times at a random moment, then two pairs at once; ${STEADY_RATE} events/s, 2 deliveries each`,
  shortScale: `each of ${APPS.length} apps once; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, isShort } = world
  await addSteadyLoad(world)
  const moments: Moment[] = []
  const rounds = isShort ? [APPS] : Array.from({ length: ROUNDS }, () => shuffled(APPS))
  const victims = [...rounds.flat().map((app) => [app]), ...(isShort ? [] : PAIRS)]
  let isFlowing = true
  for (const apps of victims) {
    await wait(Math.random() * RANDOM_WAIT_MS)
    const atMs = await kill(world, apps)
    moments.push({ label: `kill -9 of ${apps.join(' and ')}`, atMs })
    isFlowing = (await traffic.untilFlowing(atMs, FLOW_LIMIT_MS)) && isFlowing
  }
  const audit = await traffic.settle()
  const faults = await faultsOf(world, moments)
  const window = victims.length * WINDOW_SECONDS * STEADY_RATE * DELIVERIES_PER_EVENT
  return {
    audit,
    faults,
    checks: [
      ...auditChecks(audit, {
        duplicates: { atMost: window, because: `${WINDOW_SECONDS} s of deliveries for each kill` },
      }),
      check('deliveries flow again after each kill', isFlowing, isFlowing ? 'yes' : 'no'),
      ...recoveryChecks(faults, LIMITS),
    ],
  }
}

/** The moment when all of them were dead. */
async function kill({ fleet, say }: World, apps: readonly AppName[]): Promise<number> {
  say(`  kill -9 of ${apps.join(' and ')}`)
  await Promise.all(apps.map((app) => fleet.kill9(fleet.one(app))))
  return Date.now()
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, rank: Math.random() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ item }) => item)
}
