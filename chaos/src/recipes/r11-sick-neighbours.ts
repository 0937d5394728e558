import { setTimeout as wait } from 'node:timers/promises'
import { auditChecks } from '../checks.js'
import { isolationCheck } from '../isolation.js'
import type { Behaviour } from '../receivers.js'
import type { Outcome, Recipe } from '../recipe.js'
import { waitsOf } from '../statistics.js'
import type { World } from '../world.js'
import { FLOW_LIMIT_MS } from './steady-load.js'

interface Scale {
  /** Healthy destinations of each of the two tenants. */
  readonly healthy: number
  readonly sick: Readonly<Partial<Record<Behaviour, number>>>
  readonly quietMs: number
  readonly troubledMs: number
}

const FULL: Scale = {
  healthy: 50,
  sick: { hanging: 10, failing: 10, trickling: 5 },
  quietMs: 30_000,
  troubledMs: 60_000,
}
const SHORT: Scale = {
  healthy: 10,
  sick: { hanging: 2, failing: 2, trickling: 1 },
  quietMs: 10_000,
  troubledMs: 20_000,
}
/** Of each tenant's healthy destinations together. */
const HEALTHY_RATE = 50
/** What just started is slow for a while. */
const WARM_UP_MS = 5_000
const [MIXED, OTHER] = ['mixed', 'other']

export const sickNeighbours: Recipe = {
  id: 'R11',
  title: 'sick neighbours',
  scale: describe(FULL),
  shortScale: describe(SHORT),
  stack: {},
  run,
}

function describe({ healthy, sick, troubledMs }: Scale): string {
  const kinds = Object.entries(sick).map(([behaviour, count]) => `${count} ${behaviour}`)
  return (
    `${healthy} healthy and ${kinds.join(', ')} in one tenant, ${healthy} healthy in another; ${troubledMs / 1_000} s, ` +
    `${HEALTHY_RATE} events/s to the healthy of each tenant, as much to each sick one`
  )
}

async function run(world: World): Promise<Outcome> {
  const { traffic, say, isShort } = world
  const scale = isShort ? SHORT : FULL
  const behaviourById = await addNeighbours(world, scale)
  const sickIds = [...behaviourById.keys()]
  const topics = (tenantId: string): string[] => names(tenantId, scale.healthy)
  const beganAtMs = Date.now()
  await traffic.begin(
    { name: MIXED, tenantId: MIXED, topics: topics(MIXED), ratePerSecond: HEALTHY_RATE },
    { name: OTHER, tenantId: OTHER, topics: topics(OTHER), ratePerSecond: HEALTHY_RATE },
    // While they are well their load is part of what the healthy ones are compared with.
    {
      name: 'sick',
      tenantId: MIXED,
      topics: sickIds,
      ratePerSecond: (HEALTHY_RATE / scale.healthy) * sickIds.length,
    },
  )
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS))) throw new Error('events do not flow')
  await wait(WARM_UP_MS)
  const quietAtMs = Date.now()
  await wait(scale.quietMs)
  say('  the sick fall sick')
  const troubleAtMs = Date.now()
  await Promise.all([...behaviourById].map(([id, behaviour]) => traffic.behave(id, behaviour)))
  await wait(scale.troubledMs)
  const overAtMs = Date.now()
  say('  the sick are well again')
  await traffic.end()
  await Promise.all(sickIds.map((id) => traffic.behave(id, 'healthy')))
  const audit = await traffic.settle()
  const checkOf = async (who: string, tenantId: string) => {
    const flights = await traffic.flights((id) => id.startsWith(tenantId))
    const quiet = waitsOf(flights, quietAtMs, troubleAtMs)
    return isolationCheck(who, quiet, waitsOf(flights, troubleAtMs, overAtMs))
  }
  return {
    audit,
    faults: [],
    checks: [
      ...auditChecks(audit, { mayDie: (id) => sickIds.includes(id) }),
      await checkOf('healthy ones of the same tenant', MIXED),
      await checkOf('another tenant', OTHER),
    ],
  }
}

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** Each destination has a topic of its own, of its name. Returns those that will be sick, well as yet, with what they will do. */
async function addNeighbours(
  { traffic }: World,
  { healthy, sick }: Scale,
): Promise<ReadonlyMap<string, Behaviour>> {
  await Promise.all([traffic.addTenant(MIXED), traffic.addTenant(OTHER)])
  const add = (tenantId: string, id: string, isSteady: boolean): Promise<void> =>
    traffic.addDestination(tenantId, id, { topics: [id], isSteady })
  await Promise.all(names(MIXED, healthy).map((id) => add(MIXED, id, true)))
  await Promise.all(names(OTHER, healthy).map((id) => add(OTHER, id, true)))
  const behaviourById = new Map<string, Behaviour>()
  for (const [behaviour, count] of Object.entries(sick) as [Behaviour, number][]) {
    const ids = names(behaviour, count)
    await Promise.all(ids.map((id) => add(MIXED, id, false)))
    for (const id of ids) behaviourById.set(id, behaviour)
  }
  await traffic.untilKnown()
  return behaviourById
}
