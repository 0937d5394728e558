import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { DELIVERED, failedWith } from '../outcomes.js'
import { Lanes, type OutgoingRecord } from './kafka.lanes.js'

const never = new AbortController().signal
const aRecord = (key: string, bytes = 1): OutgoingRecord => ({
  key,
  value: Buffer.alloc(bytes),
  headers: {},
})

/** Notes batches; each is answered when the test says so. */
class Batches {
  readonly sent: { keys: string[]; partition: number | null; answer: (outcomes?: Outcome[]) => void }[] = []
  areKnown = true

  readonly lanes = new Lanes(
    (records, partition) =>
      new Promise((resolve) => {
        const keys = records.map(({ key }) => key)
        this.sent.push({
          keys,
          partition,
          answer: (outcomes) => resolve(outcomes ?? keys.map(() => DELIVERED)),
        })
      }),
    ({ key }) => (this.areKnown ? Number(key[0]) : null),
  )

  add(key: string, bytes?: number): Promise<Outcome> {
    return this.lanes.add(aRecord(key, bytes), never)
  }

  get keys(): string[][] {
    return this.sent.map(({ keys }) => keys)
  }
}

const soon = () => new Promise((resolve) => setImmediate(resolve))

describe('the lanes of partitions', () => {
  it('send what came during a batch as the next one, in order', async () => {
    const batches = new Batches()
    const outcomes = Promise.all(['1a', '1b', '1c', '1d'].map((key) => batches.add(key)))
    expect(batches.keys).toEqual([['1a']])
    batches.sent[0]?.answer()
    await soon()
    expect(batches.keys).toEqual([['1a'], ['1b', '1c', '1d']])
    batches.sent[1]?.answer()
    expect(await outcomes).toEqual(Array(4).fill(DELIVERED))
  })

  it('write together what follows from the outcomes of one batch', async () => {
    const batches = new Batches()
    const all = Promise.all(
      ['1a', '1b', '1c'].map((key) => batches.add(key).then(() => batches.add(`${key}2`))),
    )
    for (let sent = 0; sent < 3; sent++) {
      batches.sent[sent]?.answer()
      await soon()
    }
    expect(batches.keys).toEqual([['1a'], ['1b', '1c', '1a2'], ['1b2', '1c2']])
    await all
  })

  it('do not wait for each other, and each batch lies in one partition', () => {
    const batches = new Batches()
    for (const key of ['1a', '2a', '1b']) void batches.add(key)
    expect(batches.sent.map(({ keys, partition }) => [keys, partition])).toEqual([
      [['1a'], 1],
      [['2a'], 2],
    ])
  })

  it('give each record the outcome of its own', async () => {
    const batches = new Batches()
    const first = batches.add('1a')
    const others = [batches.add('1b'), batches.add('1c')]
    batches.sent[0]?.answer()
    await first
    await soon()
    const refused = failedWith('event_refused')
    batches.sent[1]?.answer([refused, DELIVERED])
    expect(await Promise.all(others)).toEqual([refused, DELIVERED])
  })

  it('bound a batch in bytes, but send a larger record alone', async () => {
    const batches = new Batches()
    void batches.add('1a')
    for (const [key, bytes] of [
      ['1b', 300_000],
      ['1c', 300_000],
      ['1d', 900_000],
      ['1e', 1],
    ] as const)
      void batches.add(key, bytes)
    for (let index = 0; index < 4; index++) {
      batches.sent[index]?.answer()
      await soon()
    }
    expect(batches.keys).toEqual([['1a'], ['1b'], ['1c'], ['1d'], ['1e']])
  })

  it('bound a batch in records', async () => {
    const batches = new Batches()
    for (let n = 0; n <= 501; n++) void batches.add(`1-${n}`)
    batches.sent[0]?.answer()
    await soon()
    batches.sent[1]?.answer()
    await soon()
    expect(batches.keys.map(({ length }) => length)).toEqual([1, 500, 1])
  })

  it('leave out a record that was given up while it waited', async () => {
    const batches = new Batches()
    const abort = new AbortController()
    void batches.add('1a')
    void batches.lanes.add(aRecord('1b'), abort.signal)
    void batches.add('1c')
    abort.abort('timeout')
    batches.sent[0]?.answer()
    await soon()
    expect(batches.keys).toEqual([['1a'], ['1c']])
  })

  describe('while partitions are unknown', () => {
    it('send one record alone and then the others to where they belong', async () => {
      const batches = new Batches()
      batches.areKnown = false
      for (const key of ['1a', '2a', '1b', '2b']) void batches.add(key)
      expect(batches.keys).toEqual([['1a']])
      batches.areKnown = true
      batches.sent[0]?.answer()
      await soon()
      expect(batches.keys).toEqual([['1a'], ['2a'], ['1b']])
    })

    it('give all who wait the outcome of the one that found nothing', async () => {
      const batches = new Batches()
      batches.areKnown = false
      const outcomes = Promise.all(['1a', '2a', '1b'].map((key) => batches.add(key)))
      const refused = failedWith('connection_refused')
      batches.sent[0]?.answer([refused])
      expect(await outcomes).toEqual([refused, refused, refused])
      expect(batches.sent).toHaveLength(1)
      void batches.add('1c')
      expect(batches.keys[1]).toEqual(['1c'])
    })
  })
})
