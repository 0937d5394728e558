import { describe, expect, it } from '@jest/globals'
import { SECOND, type DestinationEntry, type Outcome } from '@barnabas/domain'
import { aDestination } from '@barnabas/testing'
import { OwnNetwork } from './own-network.js'

const reached: Outcome = { kind: 'retryable', code: 'http_500', detail: '' }
const unreached: Outcome = { kind: 'retryable', code: 'connection_refused', detail: '' }

const destinationsOn = (hosts: number, count: number): DestinationEntry[] =>
  Array.from({ length: count }, (_, index) =>
    aDestination({ config: { url: `http://h${index % hosts}.example/` } }),
  )

function observeAll(network: OwnNetwork, destinations: readonly DestinationEntry[], outcome: Outcome): void {
  for (const destination of destinations) network.observe(destination, outcome, 0)
}

describe('OwnNetwork', () => {
  it.each([
    ['half of 20 destinations on 5 hosts', { hosts: 5, unreached: 10, reached: 10 }, true],
    ['fewer than half', { hosts: 5, unreached: 9, reached: 11 }, false],
    ['19 destinations', { hosts: 5, unreached: 19, reached: 0 }, false],
    ['4 hosts', { hosts: 4, unreached: 30, reached: 0 }, false],
  ])('with %s unreached: suspected = %s', (_name, counts, isSuspected) => {
    const network = new OwnNetwork()
    const all = destinationsOn(counts.hosts, counts.unreached + counts.reached)
    observeAll(network, all.slice(0, counts.unreached), unreached)
    observeAll(network, all.slice(counts.unreached), reached)
    expect(network.isSuspected).toBe(isSuspected)
  })

  it('blames itself for what was unreached, not for what a target answered', () => {
    const network = new OwnNetwork()
    const all = destinationsOn(5, 30)
    observeAll(network, all, unreached)
    const [one, other] = all
    expect(one && network.observe(one, unreached, 0)).toBe(true)
    expect(other && network.observe(other, reached, 0)).toBe(false)
  })

  it('is trusted again when targets are reached, or nothing was sent for a minute', () => {
    const network = new OwnNetwork()
    const all = destinationsOn(5, 20)
    observeAll(network, all, unreached)
    observeAll(network, all.slice(0, 11), reached)
    expect(network.isSuspected).toBe(false)
    observeAll(network, all, unreached)
    expect(network.isSuspected).toBe(true)
    network.sweep(61 * SECOND)
    expect(network.isSuspected).toBe(false)
  })
})
