import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DELIVERED, failedWith } from '../outcomes.js'
import { Batcher, type BatchResult } from './batcher.js'

const never = new AbortController().signal

/** A target whose requests are answered by hand. */
class Requests {
  readonly open: {
    entries: readonly number[]
    answer: (result: BatchResult) => void
    signal: AbortSignal
  }[] = []
  readonly all: (readonly number[])[] = []

  readonly send = (entries: readonly number[], signal: AbortSignal): Promise<BatchResult> =>
    new Promise((answer) => {
      this.open.push({ entries, answer, signal })
      this.all.push(entries)
    })

  deliverFirst(): void {
    const first = this.open.shift()
    first?.answer({ kind: 'each', outcomes: first.entries.map(() => DELIVERED) })
  }
}

const batcherOver = (requests: Requests, options: { maxRequests?: number; maxBytes?: number } = {}) =>
  new Batcher<number>({ maxEntries: 3, maxBytes: 100, maxRequests: 2, ...options, send: requests.send })

/** Lets every promise that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('Batcher', () => {
  it('sends at once when nothing is under way, and what comes together in one request', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests)
    void batcher.submit(1, 1, never)
    void batcher.submit(2, 1, never)
    await settle()
    expect(requests.all).toEqual([[1, 2]])
  })

  it('gathers while a request is under way, and sends what it gathered when one ends', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests)
    void batcher.submit(1, 1, never)
    await settle()
    void batcher.submit(2, 1, never)
    await settle()
    void batcher.submit(3, 1, never)
    await settle()
    expect(requests.all).toEqual([[1]])
    requests.deliverFirst()
    await settle()
    expect(requests.all).toEqual([[1], [2, 3]])
  })

  it('sends together what follows from the outcomes of one request', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests)
    for (const entry of [1, 2, 3])
      void batcher.submit(entry, 1, never).then(() => batcher.submit(entry + 10, 1, never))
    await settle()
    requests.deliverFirst()
    await settle()
    expect(requests.all).toEqual([
      [1, 2, 3],
      [11, 12, 13],
    ])
  })

  it('sends full requests side by side, as many as it may', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests)
    for (let entry = 0; entry < 9; entry++) void batcher.submit(entry, 1, never)
    await settle()
    expect(requests.all).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
  })

  it('fills no request beyond its bytes, and lets a larger entry go alone', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests, { maxRequests: 9 })
    for (const bytes of [60, 40, 1, 500, 2]) void batcher.submit(bytes, bytes, never)
    await settle()
    requests.deliverFirst()
    await settle()
    expect(requests.all.slice(0, 3)).toEqual([[60, 40], [1], [500]])
  })

  it('ends a submission whose signal aborts, and the request when nobody waits for it any more', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests)
    const [one, two] = [new AbortController(), new AbortController()]
    const outcomes = [batcher.submit(1, 1, one.signal), batcher.submit(2, 1, two.signal)]
    await settle()
    one.abort('timeout')
    expect(await outcomes[0]).toMatchObject({ code: 'timeout' })
    expect(requests.open[0]?.signal.aborted).toBe(false)
    two.abort('shutdown')
    expect(await outcomes[1]).toMatchObject({ code: 'aborted' })
    expect(requests.open[0]?.signal.aborted).toBe(true)
  })

  it('never sends what was aborted before its turn', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests, { maxRequests: 1 })
    const abort = new AbortController()
    void batcher.submit(1, 1, never)
    await settle()
    const second = batcher.submit(2, 1, abort.signal)
    abort.abort('timeout')
    expect((await second).code).toBe('timeout')
    requests.deliverFirst()
    await settle()
    expect(requests.all).toEqual([[1]])
  })

  it('repeats a request that was refused for one entry alone, entry by entry', async () => {
    const asked: (readonly number[])[] = []
    const batcher = new Batcher<number>({
      maxEntries: 3,
      maxBytes: 100,
      maxRequests: 1,
      send: (entries) => {
        asked.push(entries)
        return Promise.resolve(
          entries.includes(2)
            ? { kind: 'all', outcome: failedWith('event_refused') }
            : { kind: 'each', outcomes: entries.map(() => DELIVERED) },
        )
      },
    })
    const outcomes = await Promise.all([1, 2, 3].map((entry) => batcher.submit(entry, 1, never)))
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'event_refused', 'accepted'])
    expect(asked).toEqual([[1, 2, 3], [1], [2], [3]])
  })

  it('closes when everything has its outcome, and takes nothing more', async () => {
    const requests = new Requests()
    const batcher = batcherOver(requests, { maxRequests: 1 })
    const sent = [batcher.submit(1, 1, never)]
    await settle()
    sent.push(batcher.submit(2, 1, never))
    let isClosed = false
    const closed = Promise.all([batcher.close(), batcher.close()]).then(() => (isClosed = true))
    requests.deliverFirst()
    await settle()
    expect(isClosed).toBe(false)
    requests.deliverFirst()
    await closed
    expect((await Promise.all(sent)).map(({ kind }) => kind)).toEqual(['delivered', 'delivered'])
    expect((await batcher.submit(3, 1, never)).code).toBe('aborted')
  })

  it('passes bugs on to every submission of the request, and goes on', async () => {
    const bug = new Error('bug')
    let isBroken = true
    const batcher = new Batcher<number>({
      maxEntries: 3,
      maxBytes: 100,
      maxRequests: 1,
      send: (entries) =>
        isBroken
          ? Promise.reject(bug)
          : Promise.resolve({ kind: 'each', outcomes: entries.map(() => DELIVERED) }),
    })
    await expect(batcher.submit(1, 1, never)).rejects.toBe(bug)
    isBroken = false
    expect((await batcher.submit(2, 1, never)).kind).toBe('delivered')
  })

  it('gives every submission exactly one outcome, its own', async () => {
    const verdict = fc.constantFrom(
      'delivered',
      'refused',
      'nothing said',
      'all fail',
      'all refused',
      'aborted',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ verdict, bytes: fc.nat(120), isLater: fc.boolean() }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (cases, maxRequests) => {
          const sentTimes = new Map<number, number>()
          const outcomeOf = (entry: number) => {
            const one = cases[entry]?.verdict
            return one === 'nothing said'
              ? undefined
              : one === 'refused'
                ? failedWith('target_failed', String(entry))
                : DELIVERED
          }
          const batcher = new Batcher<number>({
            maxEntries: 3,
            maxBytes: 100,
            maxRequests,
            send: async (entries) => {
              for (const entry of entries) sentTimes.set(entry, (sentTimes.get(entry) ?? 0) + 1)
              await settle()
              const verdicts = entries.map((entry) => cases[entry]?.verdict)
              if (verdicts.includes('all fail')) return { kind: 'all', outcome: failedWith('throttled') }
              if (verdicts.includes('all refused'))
                return { kind: 'all', outcome: failedWith('event_refused') }
              return { kind: 'each', outcomes: entries.map(outcomeOf) }
            },
          })
          const outcomes: { entry: number; code: string; detail: string }[] = []
          const sent: Promise<unknown>[] = []
          for (const [entry, one] of cases.entries()) {
            if (one.isLater) await settle()
            const abort = new AbortController()
            const submitted = batcher.submit(entry, one.bytes, abort.signal)
            sent.push(
              submitted.then((outcome) =>
                outcomes.push({
                  entry,
                  code: outcome.code,
                  detail: 'detail' in outcome ? outcome.detail : '',
                }),
              ),
            )
            if (one.verdict === 'aborted') setImmediate(() => abort.abort('timeout'))
          }
          await Promise.all(sent)
          await batcher.close()
          expect(outcomes.map(({ entry }) => entry).sort((a, b) => a - b)).toEqual([...cases.keys()])
          for (const { entry, code, detail } of outcomes) {
            if (code === 'target_failed') expect(detail).toBe(String(entry))
            // Only what was refused by itself ends so: never for what another entry holds.
            if (code === 'event_refused') expect(cases[entry]?.verdict).toBe('all refused')
            if (code === 'accepted') expect(sentTimes.get(entry)).toBeGreaterThanOrEqual(1)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
