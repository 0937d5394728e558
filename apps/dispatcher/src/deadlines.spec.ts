import { describe, expect, it } from '@jest/globals'
import { SECOND } from '@barnabas/domain'
import { FakeClock } from '@barnabas/testing'
import { Deadlines } from './deadlines.js'

const TIMEOUT_MS = 15 * SECOND

/** A send that tells why it was aborted; with `isStuck` it takes no notice. */
const sendUntilAborted = (signal: AbortSignal, isStuck: boolean): Promise<unknown> =>
  new Promise((resolve) => {
    if (isStuck) return
    if (signal.aborted) resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason))
  })

function setUp() {
  const clock = new FakeClock()
  const deadlines = new Deadlines(clock)
  const lease = new AbortController()
  const run = (isStuck = false) =>
    deadlines.run(lease.signal, TIMEOUT_MS, (signal) => sendUntilAborted(signal, isStuck))
  const pass = (byMs: number): void => {
    clock.advance(byMs)
    deadlines.turn()
  }
  return { deadlines, lease, run, pass }
}

describe('Deadlines', () => {
  it('aborts a send at its time limit', async () => {
    const { run, pass } = setUp()
    const sent = run()
    pass(TIMEOUT_MS + 40)
    expect(await sent).toBe('timeout')
  })

  it('gives up a send that has not ended five seconds after its limit, even when it never does', async () => {
    const { run, pass } = setUp()
    let isOver = false
    const sent = run(true).finally(() => (isOver = true))
    pass(TIMEOUT_MS + 40)
    pass(4 * SECOND)
    await Promise.resolve()
    expect(isOver).toBe(false)
    pass(SECOND)
    expect(await sent).toBeNull()
  })

  it('aborts all sends of a lease that ends, and those that begin later at once', async () => {
    const { run, lease } = setUp()
    const sent = [run(), run()]
    lease.abort()
    expect(await Promise.all([...sent, run()])).toEqual(['shutdown', 'shutdown', 'shutdown'])
  })

  it('passes on what a send ends with', async () => {
    const { deadlines, lease } = setUp()
    const run = (send: () => Promise<string>) => deadlines.run(lease.signal, TIMEOUT_MS, send)
    expect(await run(() => Promise.resolve('done'))).toBe('done')
    await expect(run(() => Promise.reject(new Error('bug')))).rejects.toThrow('bug')
  })
})
