import { setTimeout as wait } from 'node:timers/promises'
import { atMost, auditChecks, check, recoveryChecks } from '../checks.js'
import { isAccepted } from '../events.js'
import { KafkaView } from '../kafka-view.js'
import { patiently } from '../patience.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import type { Brokers } from '../services.js'
import { faultsOf, type Moment, type World } from '../world.js'
import { addSteadyLoad, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

/** A broker that does not answer is thrown out after 9 s. */
const PUBLISH_ERRORS_SECONDS = 15
/** The second: three Java processes share the machine, and one that starts takes most of two cores for half a minute. */
const LIMITS = { firstSeconds: 25, clearedSeconds: 90 }
const IN_SYNC_LIMIT_MS = 90_000
const LOOK_MS = 500
const MS_PER_SECOND = 1_000

export const brokerKilled: Recipe = {
  id: 'R3',
  title: 'kill -9 of one of three brokers',
  scale: `the leader of a partition of deliveries, then the coordinator of the dispatchers' group, once each for 5 times; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: { hasThreeBrokers: true },
  run,
}

async function run(world: World): Promise<Outcome> {
  const { brokers } = world.services
  if (!brokers) throw new Error('this recipe needs three brokers')
  const view = await KafkaView.open(brokers.address)
  try {
    await addSteadyLoad(world)
    const leader = await breakOne(world, brokers, view, 'leader of deliveries')
    const coordinator = await breakOne(world, brokers, view, 'coordinator of the dispatchers')
    const audit = await world.traffic.settle()
    const moments = [leader.moment, coordinator.moment]
    const faults = await faultsOf(world, moments)
    const isFlowing = leader.isFlowing && coordinator.isFlowing
    return {
      audit,
      faults,
      checks: [
        ...auditChecks(audit),
        check('deliveries flow again after each kill', isFlowing, isFlowing ? 'yes' : 'no'),
        ...(await publishErrors(world, moments)),
        ...recoveryChecks(faults, LIMITS),
      ],
    }
  } finally {
    await view.close()
  }
}

async function breakOne(
  { traffic, say }: World,
  brokers: Brokers,
  view: KafkaView,
  which: 'leader of deliveries' | 'coordinator of the dispatchers',
): Promise<{ moment: Moment; isFlowing: boolean }> {
  const id =
    which === 'leader of deliveries'
      ? await view.leaderOf('deliveries')
      : await view.coordinatorOf('dispatcher')
  say(`  kill -9 of broker ${id}, the ${which}`)
  await brokers.kill9(id)
  const atMs = Date.now()
  const isFlowing = await traffic.untilFlowing(atMs, FLOW_LIMIT_MS)
  say(`  broker ${id} starts`)
  await brokers.restart(id)
  const endMs = Date.now() + IN_SYNC_LIMIT_MS
  while (!(await view.isInSync())) {
    if (Date.now() > endMs) throw new Error(`broker ${id} did not catch up`)
    await wait(LOOK_MS)
  }
  return { moment: { label: `kill -9 of the ${which}`, atMs }, isFlowing }
}

async function publishErrors({ traffic }: World, moments: readonly Moment[]): Promise<Check[]> {
  const { events } = await traffic.results()
  return moments.map(({ label, atMs }, index) => {
    const untilMs = moments[index + 1]?.atMs ?? Number.POSITIVE_INFINITY
    const failed = events.filter(
      (event) => !isAccepted(event) && event.sentAtMs >= atMs && event.sentAtMs < untilMs,
    )
    const seconds = new Set(failed.map(({ sentAtMs }) => Math.floor(sentAtMs / MS_PER_SECOND)))
    const sentence = `seconds in which publishes fail after ${label}, until all is whole again:`
    return atMost(sentence, seconds.size, patiently(PUBLISH_ERRORS_SECONDS), 's')
  })
}
