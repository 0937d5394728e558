import { describe, expect, it } from '@jest/globals'
import { tierOf } from '@barnabas/domain'
import { encodeWaiting, kafkaNames, REJECTED_HEADER, type LogRecord } from '@barnabas/kafka'
import { FakeClock } from '@barnabas/testing'
import { ReleaseDue } from './release-due.js'

const names = kafkaNames('p.')
const NOW_MS = 1_000_000

function waiting(dueAtMs: number, overrides: Partial<LogRecord> = {}): LogRecord {
  const encoded = encodeWaiting(
    { value: Buffer.from('v'), headers: { own: 'kept' } },
    { dueAtMs, returnTo: 'p.deliveries' },
  )
  return {
    kafkaTopic: 'p.delay.5s',
    partition: 1,
    offset: 0,
    key: Buffer.from('d_1'),
    value: encoded.value,
    headers: Object.fromEntries(
      Object.entries(encoded.headers).map(([name, text]) => [name, Buffer.from(text)]),
    ),
    timestampMs: NOW_MS - 5_000,
    ...overrides,
  }
}

const releaseDue = new ReleaseDue(
  { names, partitions: 4, tiers: [5_000, 60_000].map(tierOf) },
  new FakeClock(NOW_MS),
)

describe('ReleaseDue', () => {
  it('ends a hop when the delay of the tier has passed since the broker took the record', () => {
    expect(releaseDue.hopEndsAtMs(waiting(0))).toBe(NOW_MS)
    expect(releaseDue.hopEndsAtMs(waiting(0, { kafkaTopic: 'p.delay.90s' }))).toBe(NOW_MS - 5_000 + 90_000)
  })

  it('returns what is due, or nearly, without the header of its waiting', () => {
    for (const dueAtMs of [NOW_MS - 10, NOW_MS + 4_000]) {
      const release = releaseDue.release(waiting(dueAtMs))
      expect(release).toMatchObject({
        kind: 'return',
        record: { kafkaTopic: 'p.deliveries', value: Buffer.from('v') },
      })
      expect(Object.keys(release.record.headers)).toEqual(['own'])
    }
  })

  it('sends what is due later into the tier that fits', () => {
    expect(releaseDue.release(waiting(NOW_MS + 65_000))).toMatchObject({
      kind: 'next-hop',
      record: { kafkaTopic: 'p.delay.1m' },
    })
  })

  it('keeps the key and its partition', () => {
    const partitions = [0, 1, 2].map(
      (partition) => releaseDue.release(waiting(0, { partition })).record.partition,
    )
    expect(new Set(partitions).size).toBe(1)
    expect(releaseDue.release(waiting(0, { key: null, partition: 3 })).record.partition).toBe(3)
  })

  it('puts what nobody can read aside', () => {
    const release = releaseDue.release(waiting(0, { headers: { own: Buffer.from('x') } }))
    expect(release).toMatchObject({ kind: 'reject', record: { kafkaTopic: 'p.ingest.rejected' } })
    expect(Object.keys(release.record.headers)).toContain(REJECTED_HEADER)
  })
})
