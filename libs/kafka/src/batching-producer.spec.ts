import { describe, expect, it } from '@jest/globals'
import { BatchingProducer, ProducerFullError, RecordTooLargeError } from './batching-producer.js'
import { NO_LEADER } from './leaders.js'
import type { OutRecord, RecordPosition } from './ports.js'

const record = (value: string | Buffer, partition = 0): OutRecord => ({
  kafkaTopic: 't',
  partition,
  key: null,
  value: Buffer.from(value),
  headers: {},
})

/** A Kafka that answers when it is told to. */
class HandDrivenKafka {
  readonly requests: { records: readonly OutRecord[]; answer: () => void; refuse: (error: Error) => void }[] =
    []
  isClosed = false
  /** By partition. */
  readonly leaders = [1, 1]
  refreshes = 0
  private written = 0

  readonly producer = new BatchingProducer({
    sendBatch: (records) =>
      new Promise<RecordPosition[]>((resolve, reject) => {
        const answer = (): void => resolve(records.map(() => ({ offset: this.written++ })))
        this.requests.push({ records, answer, refuse: reject })
      }),
    leaders: {
      leaderOf: (_topic, partition) => this.leaders[partition] ?? NO_LEADER,
      refresh: () => Promise.resolve(void this.refreshes++),
    },
    isTooLarge: (error) => error instanceof Error && error.message === 'too large',
    close: () => {
      this.isClosed = true
      return Promise.resolve()
    },
  })

  request(index: number) {
    const request = this.requests[index]
    if (!request) throw new Error(`there was no request ${index}`)
    return request
  }

  readonly sizes = (): number[] => this.requests.map(({ records }) => records.length)
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('BatchingProducer', () => {
  it('sends a record in the next tick when it is idle, together with what came in the same one', async () => {
    const kafka = new HandDrivenKafka()
    void kafka.producer.enqueue(record('a'))
    void kafka.producer.enqueue(record('b'))
    await tick()
    expect(kafka.sizes()).toEqual([2])
  })

  it('gathers what comes while two requests are under way into one batch', async () => {
    const kafka = new HandDrivenKafka()
    for (const value of ['a', 'b']) {
      void kafka.producer.enqueue(record(value))
      await tick()
    }
    for (let count = 0; count < 5; count++) {
      void kafka.producer.enqueue(record('c'))
      await tick()
    }
    expect(kafka.sizes()).toEqual([1, 1])
    kafka.request(0).answer()
    await tick()
    await tick()
    expect(kafka.sizes()).toEqual([1, 1, 5])
  })

  it('answers each record with its own position', async () => {
    const kafka = new HandDrivenKafka()
    const positions = ['a', 'b', 'c'].map((value) => kafka.producer.enqueue(record(value)))
    await tick()
    kafka.request(0).answer()
    expect((await Promise.all(positions)).map(({ offset }) => offset)).toEqual([0, 1, 2])
  })

  it("closes a partition's batch at 512 KiB and leaves other partitions' room", async () => {
    const kafka = new HandDrivenKafka()
    const big = Buffer.alloc(300 * 1024)
    for (const partition of [0, 0, 1]) void kafka.producer.enqueue(record(big, partition))
    await tick()
    expect(kafka.requests.map(({ records }) => records.map(({ partition }) => partition))).toEqual([
      [0, 1],
      [0],
    ])
  })

  it('lets one oversized record fail alone', async () => {
    const kafka = new HandDrivenKafka()
    const results = ['a', 'huge', 'b'].map((value) =>
      kafka.producer.enqueue(record(value)).then(
        () => 'written',
        (error: unknown) => (error instanceof RecordTooLargeError ? 'too large' : 'failed'),
      ),
    )
    await tick()
    kafka.request(0).refuse(new Error('too large'))
    for (let index = 1; index <= 3; index++) {
      await tick()
      const { records, answer, refuse } = kafka.request(index)
      if (records[0]?.value?.toString() === 'huge') refuse(new Error('too large'))
      else answer()
    }
    expect(await Promise.all(results)).toEqual(['written', 'too large', 'written'])
  })

  it('rejects all records of a request that failed, and goes on with the next', async () => {
    const kafka = new HandDrivenKafka()
    const failed = kafka.producer.enqueue(record('a'))
    await tick()
    kafka.request(0).refuse(new Error('no broker'))
    await expect(failed).rejects.toThrow('no broker')
    const next = kafka.producer.enqueue(record('b'))
    await tick()
    kafka.request(1).answer()
    await expect(next).resolves.toEqual({ offset: 0 })
  })

  it('refuses more than 64 MiB of unacknowledged records, and takes more once some were acknowledged', async () => {
    const kafka = new HandDrivenKafka()
    const big = Buffer.alloc(16 * 1024 * 1024)
    for (let count = 0; count < 3; count++) void kafka.producer.enqueue(record(big))
    await tick()
    await expect(kafka.producer.enqueue(record(Buffer.concat([big, big])))).rejects.toThrow(ProducerFullError)
    kafka.request(0).answer()
    await tick()
    void kafka.producer.enqueue(record(big))
    await tick()
    expect(kafka.requests.length).toBeGreaterThan(1)
  })

  // Two requests in all were once allowed: one broker that was away, or a partition without a leader, held up everything.
  it('sends on to each broker while another does not answer', async () => {
    const kafka = new HandDrivenKafka()
    kafka.leaders.splice(0, 2, 1, 2)
    for (let count = 0; count < 4; count++) {
      void kafka.producer.enqueue(record('away', 0))
      await tick()
    }
    void kafka.producer.enqueue(record('here', 1))
    void kafka.producer.enqueue(record('nobody', 2))
    await tick()
    const partitions = kafka.requests.map(({ records }) => records.map(({ partition }) => partition))
    expect(partitions).toEqual([[0], [0], [1], [2]])
  })

  it('leaves room for others when what waits for one broker, or for a leader, has filled its share', async () => {
    const kafka = new HandDrivenKafka()
    kafka.leaders.splice(0, 2, 1, 2)
    const big = Buffer.alloc(7 * 1024 * 1024)
    const outcome = (partition: number): Promise<string> =>
      Promise.race([
        kafka.producer.enqueue(record(big, partition)).then(
          () => 'written',
          (error: unknown) => (error instanceof ProducerFullError ? 'refused' : 'failed'),
        ),
        tick().then(() => 'waits'),
      ])
    expect(await outcome(1)).toBe('waits')
    expect(await outcome(2)).toBe('waits')
    expect(await outcome(2)).toBe('refused')
    const ofOne: string[] = []
    for (let count = 0; count < 5; count++) ofOne.push(await outcome(0))
    expect(ofOne).toEqual(['waits', 'waits', 'waits', 'waits', 'refused'])
    expect(await outcome(1)).toBe('waits')
  })

  it('sends what waits for a broker that failed to who leads its partitions now', async () => {
    const kafka = new HandDrivenKafka()
    kafka.leaders.splice(0, 2, 1, 2)
    const failed = kafka.producer.enqueue(record('a', 0)).catch(() => 'failed')
    await tick()
    void kafka.producer.enqueue(record('b', 0))
    await tick()
    void kafka.producer.enqueue(record('c', 0))
    await tick()
    expect(kafka.sizes()).toEqual([1, 1])
    // The other request to the broker stays where it is.
    kafka.leaders[0] = 2
    for (let count = 0; count < 2; count++) {
      void kafka.producer.enqueue(record('d', 1))
      await tick()
    }
    expect(kafka.sizes()).toEqual([1, 1, 1, 1])
    kafka.request(2).answer()
    kafka.request(0).refuse(new Error('connection refused'))
    expect(await failed).toBe('failed')
    await tick()
    expect(kafka.refreshes).toBe(1)
    expect(kafka.request(4).records[0]?.value?.toString()).toBe('c')
  })

  it('closes only when everything was answered, and takes nothing afterwards', async () => {
    const kafka = new HandDrivenKafka()
    const last = kafka.producer.enqueue(record('a'))
    await tick()
    const closed = kafka.producer.close()
    await expect(kafka.producer.enqueue(record('b'))).rejects.toThrow('closed')
    expect(kafka.isClosed).toBe(false)
    kafka.request(0).answer()
    await last
    await closed
    expect(kafka.isClosed).toBe(true)
  })
})
