import { describe, expect, it } from '@jest/globals'
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

  it('waits while no broker answers', async () => {
    const { watchdog, replaced } = watch(1, false)
    const since = performance.now()
    while (performance.now() - since < 3);
    await watchdog.look()
    expect([replaced(), watchdog.isStuck]).toEqual([0, false])
  })
})
