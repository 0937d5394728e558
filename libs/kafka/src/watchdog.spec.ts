import { describe, expect, it } from '@jest/globals'
import { setTimeout as wait } from 'node:timers/promises'
import { Watchdog } from './watchdog.js'

function watch(limitMs: number, isThere: boolean) {
  let replaced = 0
  const watchdog = new Watchdog({
    limitMs,
    isKafkaThere: () => Promise.resolve(isThere),
    onSilence: () => replaced++,
  })
  return { watchdog, replaced: () => replaced }
}

describe('Watchdog', () => {
  it('has the consumer replaced once per silence, and is stuck when that did not help', async () => {
    const { watchdog, replaced } = watch(0, true)
    await watchdog.look()
    expect([replaced(), watchdog.isStuck]).toEqual([1, false])
    await watchdog.look()
    expect([replaced(), watchdog.isStuck]).toEqual([2, true])
    watchdog.hear()
    expect(watchdog.isStuck).toBe(false)
  })

  it('replaces nothing that was heard of within the limit', async () => {
    const { watchdog, replaced } = watch(60_000, true)
    await watchdog.look()
    expect(replaced()).toBe(0)
  })

  // An outage that ended just before the limit was once counted as silence, and a consumer that was about to join replaced.
  it('counts from the end of an outage, not from its beginning', async () => {
    let isThere = false
    let replaced = 0
    const watchdog = new Watchdog({
      limitMs: 30,
      isKafkaThere: () => Promise.resolve(isThere),
      onSilence: () => replaced++,
    })
    await wait(25)
    await watchdog.look()
    isThere = true
    await wait(15)
    await watchdog.look()
    expect(replaced).toBe(0)
    await wait(30)
    await watchdog.look()
    expect(replaced).toBe(1)
  })

  it('waits while no broker answers', async () => {
    const { watchdog, replaced } = watch(1, false)
    const since = performance.now()
    while (performance.now() - since < 3);
    await watchdog.look()
    expect([replaced(), watchdog.isStuck]).toEqual([0, false])
  })
})
