import { describe, expect, it } from '@jest/globals'
import { LeasedPartition } from './leased-partition.js'
import { decodeFinished, type OffsetRun } from './finished-map.js'
import { LiveBytes } from './live-bytes.js'
import type { LogRecord } from './ports.js'

const record = (offset: number, bytes = 10): LogRecord => ({
  kafkaTopic: 't',
  partition: 0,
  offset,
  key: null,
  value: Buffer.alloc(bytes),
  headers: {},
  timestampMs: 0,
})

function leased({ finished = [] as OffsetRun[], liveBytes = new LiveBytes() } = {}) {
  const calls: string[] = []
  const flow = { pause: () => calls.push('pause'), resume: () => calls.push('resume') }
  const place = { kafkaTopic: 't', partition: 0 }
  const partition = new LeasedPartition({ ...place, firstOffset: 0, finished, flow, liveBytes })
  return { partition, calls }
}

const MIB = 1024 * 1024

describe('LeasedPartition', () => {
  it('pauses when 64 MiB are unfinished and goes on at half of it', () => {
    const { partition, calls } = leased()
    const records = Array.from({ length: 5 }, (_, offset) => record(offset, 16 * MIB))
    partition.receive(records, 4)
    expect(calls).toEqual(['pause'])
    for (const offset of [0, 1]) partition.lease.done(offset)
    expect(calls).toEqual(['pause'])
    partition.lease.done(2)
    partition.lease.done(3)
    expect(calls).toEqual(['pause', 'resume'])
  })

  it('stays paused while the handler or the guard wants it', () => {
    const { partition, calls } = leased()
    partition.lease.pause()
    partition.receive([record(0, 65 * MIB)], 0)
    partition.lease.done(0)
    expect(calls).toEqual(['pause', 'pause'])
    partition.lease.resume()
    expect(calls.at(-1)).toBe('resume')
  })

  it('hands out each record once, and commits behind the control records of a fetch', () => {
    const { partition } = leased()
    expect(partition.receive([record(0), record(1)], 3)).toHaveLength(2)
    expect(partition.receive([record(1), record(4)], 4).map(({ offset }) => offset)).toEqual([4])
    for (const offset of [0, 1, 4]) partition.lease.done(offset)
    expect(partition.commitPoint).toBe(5)
    const mark = partition.dueCommit
    expect(mark).toMatchObject({ offset: 5, metadata: '' })
    if (mark) partition.committed(mark)
    expect(partition.dueCommit).toBeNull()
  })

  // What an earlier owner had finished beyond the first fetch was forgotten with the first commit.
  it('commits what an earlier owner had finished also while it has not been fetched again', () => {
    const { partition } = leased({
      finished: [
        [1, 3],
        [5, 20],
        [30, 31],
      ],
    })
    expect(
      partition.receive([record(0), record(1), record(2), record(3)], 3).map(({ offset }) => offset),
    ).toEqual([0, 3])
    partition.lease.done(3)
    const mark = partition.dueCommit
    expect(mark?.offset).toBe(0)
    expect(decodeFinished(0, mark?.metadata ?? '')).toEqual([
      [1, 4],
      [5, 20],
      [30, 31],
    ])
    const records = Array.from({ length: 4 }, (_, index) => record(4 + index))
    expect(partition.receive(records, 7).map(({ offset }) => offset)).toEqual([4])
    expect(decodeFinished(0, partition.dueCommit?.metadata ?? '')).toEqual([
      [1, 4],
      [5, 8],
      [8, 20],
      [30, 31],
    ])
  })

  it('knows what an earlier owner had finished and committed, fetched or not', () => {
    const { partition } = leased({ finished: [[2, 20]] })
    partition.receive([record(0), record(1), record(2)], 2)
    expect(partition.knows({ offset: 0, finished: [[2, 20]] })).toBe(true)
    expect(partition.knows({ offset: 0, finished: [[2, 21]] })).toBe(false)
    expect(partition.knows({ offset: 0, finished: [[1, 3]] })).toBe(false)
    expect(partition.knows({ offset: 1, finished: [] })).toBe(false)
  })

  // A consumer that has crashed throws, from its crash until it says so; that once ended the process.
  it('bears a consumer that can no longer pause or resume', () => {
    const refuse = (): never => {
      throw new Error('Consumer group was not initialized, consumer#run must be called first')
    }
    const partition = new LeasedPartition({
      kafkaTopic: 't',
      partition: 0,
      firstOffset: 0,
      finished: [],
      flow: { pause: refuse, resume: refuse },
      liveBytes: new LiveBytes(),
    })
    expect(partition.receive([record(0, 65 * MIB)], 0)).toHaveLength(1)
    partition.lease.done(0)
    partition.lease.pause()
    partition.lease.resume()
    partition.beginStopping()
    expect(partition.commitPoint).toBe(1)
  })

  // Records that waited for hours in one tier once filled the process, and the short tiers stood still.
  it('lets a partition that holds nothing fetch once while others fill the process', () => {
    const liveBytes = new LiveBytes(1_000)
    const [waiting, quick] = [leased({ liveBytes }), leased({ liveBytes })]
    waiting.partition.receive([record(0, 2_000)], 0)
    expect(waiting.calls).toEqual(['pause'])

    quick.partition.receive([record(0), record(1)], 1)
    expect(quick.calls).toEqual(['pause'])
    quick.partition.lease.done(0)
    expect(quick.calls).toEqual(['pause'])
    quick.partition.lease.done(1)
    expect(quick.calls).toEqual(['pause', 'resume'])
    expect(waiting.calls).toEqual(['pause'])
    waiting.partition.lease.done(0)
    expect(waiting.calls).toEqual(['pause', 'resume'])
  })

  it('ignores everything once the lease has ended', () => {
    const { partition, calls } = leased()
    partition.receive([record(0)], 0)
    partition.end()
    partition.lease.done(0)
    partition.lease.pause()
    expect(partition.commitPoint).toBe(0)
    expect(partition.lease.signal.aborted).toBe(true)
    expect(calls).toEqual([])
  })

  it('counts what was begun, and resumes nothing while it is stopping', () => {
    const { partition, calls } = leased()
    partition.receive([record(0), record(1)], 1)
    partition.lease.begin(0)
    expect(partition.inFlight).toBe(1)
    partition.beginStopping()
    partition.lease.resume()
    expect(partition.lease.stopping.aborted).toBe(true)
    expect(partition.lease.signal.aborted).toBe(false)
    expect(calls).toEqual(['pause'])
    partition.lease.done(0)
    expect(partition.inFlight).toBe(0)
  })
})
