import { describe, expect, it } from '@jest/globals'
import { counterSum } from './metrics.js'

const text = `# TYPE barnabas_attempts_total counter
barnabas_attempts_total{outcome="delivered",destination_type="webhook"} 40 1764060000000
barnabas_attempts_total{outcome="retryable",destination_type="webhook"} 2
barnabas_attempts_total_of_others{outcome="delivered"} 7
barnabas_deliveries_made_total 12 1764060000000
barnabas_network_suspected 0`

describe('counterSum', () => {
  it.each([
    ['barnabas_attempts_total', 42],
    ['barnabas_deliveries_made_total', 12],
    ['barnabas_events_routed_total', 0],
  ])('of %s is %d', (name, sum) => {
    expect(counterSum(text, name)).toBe(sum)
  })
})
