import type { World } from '../world.js'

/** Far below what one machine does, so that a recipe looks at its fault and not at a backlog. */
export const STEADY_RATE = 100
/** Deliveries flow again within 15 s of most faults; the rest is for a busy machine, and a verdict looks at the time itself. */
export const FLOW_LIMIT_MS = 60_000

/** Of an event: one healthy destination and the flaky one. */
export const DELIVERIES_PER_EVENT = 2

export const TENANT = 'chaos'
/** Healthy destinations, each with a topic of its own and its name: so many that they lie in several partitions. */
export const STEADY = ['steady-1', 'steady-2', 'steady-3', 'steady-4'] as const
const FLAKY = 'flaky'

/**
 * One tenant, whose events go in turn to one of four healthy destinations, and all of them to one that fails the first
 * attempt of every tenth event. Events flow when this resolves.
 */
export async function addSteadyLoad(
  { traffic }: World,
  options: { isRetrying?: boolean } = {},
): Promise<void> {
  await traffic.addTenant(TENANT)
  for (const id of STEADY) await traffic.addDestination(TENANT, id, { topics: [id] })
  await traffic.addDestination(TENANT, FLAKY, { behaviour: 'flaky' })
  await traffic.untilKnown()
  const beganAtMs = Date.now()
  await traffic.begin({
    name: TENANT,
    tenantId: TENANT,
    topics: STEADY,
    ratePerSecond: STEADY_RATE,
    ...options,
  })
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS)))
    throw new Error('events do not flow before any fault')
}
