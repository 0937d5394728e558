import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { LogRecord, PartitionLease } from '@barnabas/kafka'
import { WaitingRoom, type Exit } from './waiting-room.js'

const TIER_MS = 1_000

const record = (offset: number, timestampMs: number, value: Buffer | null = null): LogRecord => ({
  kafkaTopic: 't',
  partition: 0,
  offset,
  key: null,
  value,
  headers: {},
  timestampMs,
})

describe('WaitingRoom', () => {
  let calls: string[]
  let left: [number, number][]
  let stopping: AbortController
  let startMs: number

  beforeEach(() => {
    jest.useFakeTimers({ now: 1_800_000_000_000 })
    startMs = Date.now()
    calls = []
    left = []
    stopping = new AbortController()
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  function room(exit: Partial<Exit> = {}): WaitingRoom {
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
    const tryLeave = ({ offset }: LogRecord): Promise<boolean> => {
      left.push([offset, Date.now() - startMs])
      return Promise.resolve(true)
    }
    return new WaitingRoom(
      { leavesAtMs: ({ timestampMs }) => timestampMs + TIER_MS, tryLeave, ...exit },
      lease,
    )
  }
  const offsets = () => left.map(([offset]) => offset)
  const flow = () => calls.filter((call) => !call.startsWith('done'))

  it('releases records together at multiples of 50 ms, those of other partitions too', async () => {
    room().add([record(0, startMs - TIER_MS + 1)])
    room().add([record(0, startMs - TIER_MS + 37), record(1, startMs - TIER_MS + 51)])
    await jest.advanceTimersByTimeAsync(49)
    expect(left).toEqual([])
    await jest.advanceTimersByTimeAsync(51)
    expect(left).toEqual([
      [0, 50],
      [0, 50],
      [1, 100],
    ])
  })

  it('releases each record when its hop is over, never before, in order, paused meanwhile', async () => {
    room().add([record(0, startMs - TIER_MS), record(1, startMs - 400), record(2, startMs)])
    expect(left).toEqual([[0, 0]])
    await jest.advanceTimersByTimeAsync(599)
    expect(left).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(401)
    expect(left).toEqual([
      [0, 0],
      [1, 600],
      [2, 1_000],
    ])
    expect(flow()).toEqual(['pause', 'resume'])
    expect(calls.filter((call) => call.startsWith('done'))).toEqual(['done 0', 'done 1', 'done 2'])
  })

  it('releases all that is due together, without waiting for one after the other', () => {
    const waiting = room({
      tryLeave: ({ offset }) => {
        left.push([offset, 0])
        return new Promise(() => undefined)
      },
    })
    waiting.add(Array.from({ length: 300 }, (_, offset) => record(offset, startMs - 5_000)))
    expect(left).toHaveLength(300)
    expect(calls).toEqual([])
  })

  it.each([
    ['a thousand records', 2_500, null, 1_000],
    ['a mebibyte', 50, Buffer.alloc(100 * 1024), 10],
    ['one record of any size', 3, Buffer.alloc(2 * 1024 * 1024), 1],
  ])(
    'has at most %s unacknowledged, paused meanwhile, and goes on after',
    async (_name, count, value, most) => {
      const pending: (() => void)[] = []
      let unacknowledged = 0
      let highest = 0
      const tryLeave = ({ offset }: LogRecord) => {
        left.push([offset, 0])
        highest = Math.max(highest, ++unacknowledged)
        return new Promise<boolean>((resolve) => {
          pending.push(() => {
            unacknowledged--
            resolve(true)
          })
        })
      }
      room({ tryLeave }).add(
        Array.from({ length: count }, (_, offset) => record(offset, startMs - 5_000, value)),
      )
      while (pending.length > 0) {
        for (const acknowledge of pending.splice(0)) acknowledge()
        await jest.advanceTimersByTimeAsync(0)
      }
      expect(highest).toBe(most)
      expect(offsets()).toEqual(Array.from({ length: count }, (_, offset) => offset))
      expect(flow()).toEqual(['pause', 'resume'])
    },
  )

  it('leaves a record unfinished that could not be written', async () => {
    room({ tryLeave: () => Promise.resolve(false) }).add([record(0, startMs - TIER_MS)])
    await jest.advanceTimersByTimeAsync(1)
    expect(calls).toEqual([])
  })

  it('keeps what may not leave, and all behind it, until it is told to look', async () => {
    let isHeld = true
    let isThrottled = true
    const waiting = room({
      leavesAtMs: () => (isHeld ? null : 0),
      tryLeave: ({ offset }) => {
        if (isThrottled && offset > 0) return null
        left.push([offset, 0])
        return Promise.resolve(true)
      },
    })
    waiting.add([record(0, startMs - 5_000), record(1, startMs - 5_000)])
    await jest.advanceTimersByTimeAsync(3_600_000)
    expect(waiting.head?.offset).toBe(0)
    isHeld = false
    waiting.look()
    expect(offsets()).toEqual([0])
    expect(waiting.head?.offset).toBe(1)
    isThrottled = false
    waiting.look()
    expect(offsets()).toEqual([0, 1])
    expect(flow()).toEqual(['pause', 'resume'])
  })

  it('releases nothing more once the process is stopping', async () => {
    const waiting = room()
    waiting.add([record(0, startMs)])
    stopping.abort()
    waiting.add([record(1, startMs - 5_000)])
    await jest.advanceTimersByTimeAsync(5_000)
    expect(left).toEqual([])
  })

  it('waits for delays that are longer than a timer can be', async () => {
    room().add([record(0, startMs + 3_000_000_000)])
    await jest.advanceTimersByTimeAsync(2_147_483_647)
    expect(left).toEqual([])
    await jest.advanceTimersByTimeAsync(1_000_000_000)
    expect(left).toHaveLength(1)
  })

  it('notices within a minute that the wall clock was set forward', async () => {
    room().add([record(0, startMs + 7_200_000)])
    jest.setSystemTime(startMs + 7_200_000 + TIER_MS)
    await jest.advanceTimersByTimeAsync(60_000)
    expect(offsets()).toEqual([0])
  })
})
