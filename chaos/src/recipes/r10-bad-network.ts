import { setTimeout as wait } from 'node:timers/promises'
import { auditChecks, check } from '../checks.js'
import { isolationCheck } from '../isolation.js'
import { NO_TROUBLE, startProxy, type Proxy } from '../proxy.js'
import type { Check, Outcome, Recipe } from '../recipe.js'
import { waitsOf } from '../statistics.js'
import { faultsOf, type Moment, type World } from '../world.js'
import { FLOW_LIMIT_MS } from './steady-load.js'

const TENANT = 'acme'
const [NEAR, FAR] = ['near', 'far']
const RATE = 50
/** Half a second there and back. */
const DELAY_MS = 250
const RESET_SHARE = 0.01
const BYTES_PER_SECOND = 10_000
const TROUBLE_MS = 30_000
const WARM_UP_MS = 5_000
const QUIET_MS = 20_000
/** Some 1,200 deliveries more than fit are put off, to due times at the rate that the far destination then has: 10/s. */
const SETTLED_SECONDS = 180

export const badNetwork: Recipe = {
  id: 'R10',
  title: 'a bad network',
  scale: `500 ms and 1 % resets before a destination (with 10 kB/s), PostgreSQL and Kafka, one after the other for ${TROUBLE_MS / 1_000} s; ${RATE} events/s to each of 2 destinations`,
  stack: { isProxied: true },
  run,
}

async function run(world: World): Promise<Outcome> {
  const far = await startProxy()
  try {
    return await runThrough(world, far)
  } finally {
    await far.stop()
  }
}

async function runThrough(world: World, far: Proxy): Promise<Outcome> {
  const { traffic, services } = world
  if (!services.proxies) throw new Error('this recipe needs proxies')
  await addBoth(world, far)
  const beganAtMs = Date.now()
  await traffic.begin(streamOf(NEAR), streamOf(FAR))
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS))) throw new Error('events do not flow')
  await wait(WARM_UP_MS)
  const quietAtMs = Date.now()
  await wait(QUIET_MS)
  const ends: Moment[] = []
  let isFlowing = true
  const places: readonly [string, Proxy][] = [
    ['the destination', far],
    ['PostgreSQL', services.proxies.postgres],
    ['Kafka', services.proxies.kafka],
  ]
  const troubledAtMs = Date.now()
  for (const [name, proxy] of places) {
    const atMs = await trouble(world, name, proxy)
    ends.push({ label: `the trouble before ${name}`, atMs })
    isFlowing = (await traffic.untilFlowing(atMs, FLOW_LIMIT_MS)) && isFlowing
  }
  const audit = await traffic.settle()
  const flights = await traffic.flights((id) => id === NEAR)
  const [farEndMs, databaseEndMs] = [ends[0]?.atMs ?? 0, ends[1]?.atMs ?? 0]
  const quiet = waitsOf(flights, quietAtMs, troubledAtMs)
  return {
    audit,
    faults: await faultsOf(world, ends),
    checks: [
      ...auditChecks(audit, { settledSeconds: SETTLED_SECONDS }),
      check('deliveries flow after each trouble', isFlowing, isFlowing ? 'yes' : 'no'),
      ...places.map(([name, { resets }]): Check =>
        check(`connections of ${name} were broken`, resets > 0, String(resets)),
      ),
      isolationCheck('the near one, the other far', quiet, waitsOf(flights, troubledAtMs, farEndMs)),
      isolationCheck('the near one, PostgreSQL far', quiet, waitsOf(flights, farEndMs, databaseEndMs)),
    ],
  }
}

const streamOf = (topic: string) => ({ name: topic, tenantId: TENANT, topics: [topic], ratePerSecond: RATE })

/** Each destination has a topic of its own, of its name. */
async function addBoth({ traffic }: World, far: Proxy): Promise<void> {
  await traffic.addTenant(TENANT)
  await traffic.addDestination(TENANT, NEAR, { topics: [NEAR] })
  await traffic.addDestination(TENANT, FAR, {
    topics: [FAR],
    isSteady: false,
    throughPort: (port) => {
      far.forwardTo(port)
      return far.port
    },
  })
  await traffic.untilKnown()
}

/** The moment when it was over. */
async function trouble({ say }: World, name: string, proxy: Proxy): Promise<number> {
  say(`  trouble before ${name}`)
  // Kafka and PostgreSQL carry everything: with so few bytes a second there would be nothing but a queue.
  const bytesPerSecond = name === 'the destination' ? BYTES_PER_SECOND : null
  proxy.trouble({ delayMs: DELAY_MS, resetShare: RESET_SHARE, bytesPerSecond })
  await wait(TROUBLE_MS)
  proxy.trouble(NO_TROUBLE)
  say(`  over, with ${proxy.resets} connections broken`)
  return Date.now()
}
