import { describe, expect, it } from '@jest/globals'
import { DELIVERED, failedWith } from './outcomes.js'
import { SendLane, type LaneOptions } from './send-lane.js'

const never = new AbortController().signal

/** Requests end when the test says so. */
function lane(options: Partial<LaneOptions<string>> = {}) {
  const requests: { messages: readonly string[]; end: () => void }[] = []
  const sends = new SendLane<string>({
    maxParallel: 1,
    maxMessages: 3,
    maxBytes: 100,
    send: (messages) =>
      new Promise((resolve) => {
        requests.push({
          messages,
          end: () =>
            resolve(messages.map((one) => (one === 'bad' ? failedWith('event_refused') : DELIVERED))),
        })
      }),
    ...options,
  })
  const add = (message: string, bytes = 1, signal = never) => sends.add({ message, bytes, signal })
  const endAll = async () => {
    for (let done = 0; done < requests.length; done++) {
      requests[done]?.end()
      await new Promise(setImmediate)
    }
  }
  return { sends, requests, add, endAll, sent: () => requests.map(({ messages }) => messages) }
}

describe('SendLane', () => {
  it('sends a message at once, and those that come meanwhile together', async () => {
    const { add, endAll, sent, sends } = lane()
    const outcomes = Promise.all(['a', 'b', 'c', 'd', 'e'].map((message) => add(message)))
    expect(sent()).toEqual([['a']])
    await endAll()
    expect(sent()).toEqual([['a'], ['b', 'c', 'd'], ['e']])
    expect((await outcomes).map(({ kind }) => kind)).toEqual(Array(5).fill('delivered'))
    expect(sends.isIdle).toBe(true)
  })

  it('sends together what follows from the outcomes of one request', async () => {
    const { add, endAll, sent } = lane()
    const chain = async (first: string, second: string) => {
      await add(first)
      return add(second)
    }
    const all = Promise.all([chain('a', 'd'), chain('b', 'e'), chain('c', 'f')])
    await endAll()
    await all
    expect(sent()).toEqual([['a'], ['b', 'c', 'd'], ['e', 'f']])
  })

  it('gives each message its own outcome', async () => {
    const { add, endAll } = lane()
    const outcomes = Promise.all([add('a'), add('b'), add('bad'), add('c')])
    await endAll()
    expect((await outcomes).map(({ code }) => code)).toEqual([
      'accepted',
      'accepted',
      'event_refused',
      'accepted',
    ])
  })

  it('keeps requests below their size, but sends what is larger alone', async () => {
    const { add, endAll, sent } = lane()
    const all = Promise.all([add('a'), add('b', 60), add('c', 60), add('d', 500)])
    await endAll()
    await all
    expect(sent()).toEqual([['a'], ['b'], ['c'], ['d']])
  })

  it('has as many requests under way as it may', async () => {
    const { add, endAll, sent } = lane({ maxParallel: 2 })
    const all = Promise.all([add('a'), add('b'), add('c')])
    expect(sent()).toEqual([['a'], ['b']])
    await endAll()
    await all
  })

  it('does not send what was given up while it waited', async () => {
    const { add, endAll, sent } = lane()
    const abort = new AbortController()
    const all = Promise.all([add('a'), add('b', 1, abort.signal), add('c')])
    abort.abort('timeout')
    await endAll()
    expect((await all).map(({ code }) => code)).toEqual(['accepted', 'timeout', 'accepted'])
    expect(sent()).toEqual([['a'], ['c']])
  })

  it('rejects all messages of a request that fails because of a bug, and goes on', async () => {
    let count = 0
    const { add } = lane({
      send: (messages) =>
        ++count === 1 ? Promise.reject(new Error('bug')) : Promise.resolve(messages.map(() => DELIVERED)),
    })
    const [first, second] = await Promise.allSettled([add('a'), add('b')])
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled'])
  })
})
