import { describe, expect, it } from '@jest/globals'
import { LeasedPartition } from './leased-partition.js'
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

function leased() {
  const calls: string[] = []
  const flow = { pause: () => calls.push('pause'), resume: () => calls.push('resume') }
  const liveBytes = new LiveBytes()
  const place = { kafkaTopic: 't', partition: 0 }
  const partition = new LeasedPartition({ ...place, firstOffset: 0, finished: [], flow, liveBytes })
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
