import { describe, expect, it } from '@jest/globals'
import type { Excerpt, LogRecord } from '@barnabas/kafka'
import { DeadLetterCursor } from './dead-letter-cursor.js'

const recordAt = (partition: number, offset: number): LogRecord => ({
  kafkaTopic: 'dead-letters',
  partition,
  offset,
  key: null,
  value: null,
  headers: {},
  timestampMs: 0,
})

/** A log whose partitions have records at these offsets, read `fetchSize` at a time. */
class FakeLog {
  readonly fetches: string[] = []

  constructor(
    private readonly offsets: readonly (readonly number[])[],
    private readonly fetchSize: number,
  ) {}

  read(_kafkaTopic: string, partition: number, offset: number): Promise<Excerpt> {
    this.fetches.push(`${partition}/${offset}`)
    const found = (this.offsets[partition] ?? []).filter((each) => each >= offset).slice(0, this.fetchSize)
    // As after deletion: nothing, and where the oldest record stands.
    const [first] = found
    if (first !== undefined && first > offset) return Promise.resolve({ records: [], nextOffset: first })
    const records = found.map((each) => recordAt(partition, each))
    return Promise.resolve({ records, nextOffset: (found.at(-1) ?? 1_000) + 1 })
  }
}

async function takeAll(cursor: DeadLetterCursor, atOnce: number): Promise<string[]> {
  const taken: string[] = []
  while (!cursor.isAtEnd) {
    const some = (await cursor.peek()).slice(0, atOnce)
    taken.push(...some.map(({ partition, offset }) => `${partition}/${offset}`))
    cursor.take(some.length)
  }
  return taken
}

const part = (partition: number, nextOffset: number, endOffset: number) => ({
  partition,
  nextOffset,
  endOffset,
})

describe('the cursor of a redrive', () => {
  it.each([1, 2, 3, 100])(
    'goes through its partitions up to their frozen ends, however many are taken at once (%i)',
    async (atOnce) => {
      const log = new FakeLog([[0, 1, 2, 3, 4, 5], [7, 8, 9], [], [0, 1]], 3)
      const cursor = new DeadLetterCursor(log, 't', [
        part(0, 0, 5),
        part(1, 0, 9),
        part(2, 0, 0),
        part(3, 1, 2),
      ])
      expect(await takeAll(cursor, atOnce)).toEqual(['0/0', '0/1', '0/2', '0/3', '0/4', '1/7', '1/8', '3/1'])
      expect(cursor.partitions).toEqual([part(0, 5, 5), part(1, 9, 9), part(2, 0, 0), part(3, 2, 2)])
    },
  )

  it('goes on from what was taken, and repeats what was only looked at', async () => {
    const log = new FakeLog([[0, 1, 2, 3]], 3)
    const cursor = new DeadLetterCursor(log, 't', [part(0, 0, 4)])
    await cursor.peek()
    cursor.take(0)
    expect(cursor.partitions).toEqual([part(0, 0, 4)])
    cursor.take(2)
    expect(cursor.partitions).toEqual([part(0, 2, 4)])
    const again = new DeadLetterCursor(log, 't', cursor.partitions)
    expect(await takeAll(again, 9)).toEqual(['0/2', '0/3'])
  })

  it('is at its end when everything up to it was deleted', async () => {
    const log = new FakeLog([[50]], 3)
    const cursor = new DeadLetterCursor(log, 't', [part(0, 0, 10)])
    expect(await takeAll(cursor, 9)).toEqual([])
    expect(cursor.partitions).toEqual([part(0, 10, 10)])
  })

  it('fetches once for what it hands out in parts', async () => {
    const log = new FakeLog([[0, 1, 2]], 3)
    await takeAll(new DeadLetterCursor(log, 't', [part(0, 0, 3)]), 1)
    expect(log.fetches).toEqual(['0/0'])
  })
})
