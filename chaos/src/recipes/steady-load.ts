import type { World } from '../world.js'

/** Far below what one machine does, so that a recipe looks at its fault and not at a backlog. */
export const STEADY_RATE = 100
/** Deliveries flow again within 15 s of most faults; the rest is for a busy machine, and a verdict looks at the time itself. */
export const FLOW_LIMIT_MS = 60_000

export const TENANT = 'chaos'
export const STEADY = 'steady'
export const FLAKY = 'flaky'

/** One tenant with a healthy destination and one that fails the first attempt of every tenth event; events flow when this resolves. */
export async function addSteadyLoad(
  { traffic }: World,
  options: { isRetrying?: boolean } = {},
): Promise<void> {
  await traffic.addTenant(TENANT)
  await traffic.addDestination(TENANT, STEADY)
  await traffic.addDestination(TENANT, FLAKY, { behaviour: 'flaky' })
  await traffic.untilKnown()
  const beganAtMs = Date.now()
  await traffic.begin({
    name: TENANT,
    tenantId: TENANT,
    topics: ['order.paid'],
    ratePerSecond: STEADY_RATE,
    ...options,
  })
  if (!(await traffic.untilFlowing(beganAtMs, FLOW_LIMIT_MS)))
    throw new Error('events do not flow before any fault')
}
