import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { LogRecord, PartitionLease } from '@barnabas/kafka'
import { WaitingRoom } from './waiting-room.js'

const TIER_MS = 1_000

const record = (offset: number, timestampMs: number): LogRecord => ({
  kafkaTopic: 't',
  partition: 0,
  offset,
  key: null,
  value: null,
  headers: {},
  timestampMs,
})

describe('WaitingRoom', () => {
  let calls: string[]
  let forwarded: [number, number][]
  let stopping: AbortController
  let startMs: number

  beforeEach(() => {
    jest.useFakeTimers()
    startMs = Date.now()
    calls = []
    forwarded = []
    stopping = new AbortController()
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  function room(isWritten = true): WaitingRoom {
    const lease: PartitionLease = {
      kafkaTopic: 't',
      partition: 0,
      signal: new AbortController().signal,
      stopping: stopping.signal,
      begin: () => undefined,
      done: (offset) => calls.push(`done ${offset}`),
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
    }
    const forward = ({ offset }: LogRecord): Promise<boolean> => {
      forwarded.push([offset, Date.now() - startMs])
      return Promise.resolve(isWritten)
    }
    return new WaitingRoom({ hopEndsAtMs: ({ timestampMs }) => timestampMs + TIER_MS }, forward, lease)
  }

  it('releases each record when its hop is over, never before, in order, paused meanwhile', async () => {
    room().add([record(0, startMs - TIER_MS), record(1, startMs - 400), record(2, startMs)])
    expect(forwarded).toEqual([[0, 0]])
    await jest.advanceTimersByTimeAsync(599)
    expect(forwarded).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(401)
    expect(forwarded).toEqual([
      [0, 0],
      [1, 600],
      [2, 1_000],
    ])
    expect(calls.filter((call) => !call.startsWith('done'))).toEqual(['pause', 'resume'])
    expect(calls.filter((call) => call.startsWith('done'))).toEqual(['done 0', 'done 1', 'done 2'])
  })

  it('does not pause for records that are due', () => {
    room().add([record(0, startMs - 5_000)])
    expect(calls).toEqual([])
    expect(forwarded).toHaveLength(1)
  })

  it('leaves a record unfinished that could not be written', async () => {
    room(false).add([record(0, startMs - TIER_MS)])
    await jest.advanceTimersByTimeAsync(1)
    expect(calls).toEqual([])
  })

  it('releases nothing more once the process is stopping', async () => {
    const waiting = room()
    waiting.add([record(0, startMs)])
    stopping.abort()
    waiting.add([record(1, startMs - 5_000)])
    await jest.advanceTimersByTimeAsync(5_000)
    expect(forwarded).toEqual([])
  })

  it('waits for delays that are longer than a timer can be', async () => {
    room().add([record(0, startMs + 3_000_000_000)])
    await jest.advanceTimersByTimeAsync(2_147_483_647)
    expect(forwarded).toEqual([])
    await jest.advanceTimersByTimeAsync(1_000_000_000)
    expect(forwarded).toHaveLength(1)
  })
})
