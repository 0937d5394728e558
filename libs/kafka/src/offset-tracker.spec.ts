import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { OffsetTracker } from './offset-tracker.js'

/** What the tracker must be equal to, written without any cleverness. */
class NaiveTracker {
  private readonly sizeByOffset = new Map<number, number>()
  private readonly flying = new Set<number>()
  private next: number

  constructor(private readonly first: number) {
    this.next = first
  }

  receive(offset: number, bytes: number): void {
    this.sizeByOffset.set(offset, bytes)
    this.next = offset + 1
  }

  skipTo(offset: number): void {
    this.next = Math.max(this.next, offset)
  }

  begin(offset: number): void {
    if (this.sizeByOffset.has(offset)) this.flying.add(offset)
  }

  finish(offset: number): boolean {
    this.flying.delete(offset)
    return this.sizeByOffset.delete(offset)
  }

  get state() {
    const unfinished = [...this.sizeByOffset.keys()]
    return {
      commitPoint: unfinished.length > 0 ? Math.min(...unfinished) : Math.max(this.next, this.first),
      nextOffset: this.next,
      liveBytes: [...this.sizeByOffset.values()].reduce((sum, bytes) => sum + bytes, 0),
      inFlight: this.flying.size,
    }
  }
}

const stateOf = ({ commitPoint, nextOffset, liveBytes, inFlight }: OffsetTracker) => ({
  commitPoint,
  nextOffset,
  liveBytes,
  inFlight,
})

describe('OffsetTracker', () => {
  it('commits the contiguous finished prefix only', () => {
    const tracker = new OffsetTracker(10)
    for (const offset of [10, 11, 12]) tracker.receive(offset, 1)
    tracker.finish(11)
    tracker.finish(12)
    expect(tracker.commitPoint).toBe(10)
    tracker.finish(10)
    expect(tracker.commitPoint).toBe(13)
  })

  it('does not wait for offsets that never come', () => {
    const tracker = new OffsetTracker(0)
    tracker.receive(0, 1)
    tracker.receive(5, 1)
    tracker.skipTo(9)
    tracker.finish(5)
    tracker.finish(0)
    expect(tracker.commitPoint).toBe(9)
  })

  it('begins anew after a hole of any width when nothing is unfinished', () => {
    const tracker = new OffsetTracker(0)
    expect(tracker.receive(10_000_000, 1)).toBe(true)
    expect(tracker.commitPoint).toBe(10_000_000)
    expect(tracker.span).toBe(1)
  })

  it('refuses what was received before, and what the ring cannot hold', () => {
    const tracker = new OffsetTracker(0)
    tracker.receive(0, 1)
    expect(tracker.receive(0, 1)).toBe(false)
    expect(tracker.receive(OffsetTracker.CAPACITY - 1, 1)).toBe(true)
    expect(tracker.receive(OffsetTracker.CAPACITY, 1)).toBe(false)
    tracker.finish(0)
    expect(tracker.receive(OffsetTracker.CAPACITY, 1)).toBe(true)
  })

  it('counts a record that is finished twice once', () => {
    const tracker = new OffsetTracker(0)
    tracker.receive(0, 7)
    tracker.receive(1, 7)
    tracker.begin(1)
    expect([tracker.finish(1), tracker.finish(1), tracker.finish(99)]).toEqual([true, false, false])
    expect([tracker.liveBytes, tracker.inFlight]).toEqual([7, 0])
  })

  it('agrees with a naive model over random receives, holes, begins and finishes, and never goes back', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('receive'), gap: fc.nat(3), bytes: fc.nat(1_000) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('skip'), gap: fc.nat(5), bytes: fc.constant(0) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('begin'), gap: fc.nat(40), bytes: fc.constant(0) }),
      },
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('finish'), gap: fc.nat(40), bytes: fc.constant(0) }),
      },
    )
    fc.assert(
      fc.property(fc.nat(200_000), fc.array(step, { maxLength: 200 }), (first, steps) => {
        const tracker = new OffsetTracker(first)
        const naive = new NaiveTracker(first)
        for (const { kind, gap, bytes } of steps) {
          const before = tracker.commitPoint
          const ahead = tracker.nextOffset + gap
          const behind = Math.max(tracker.nextOffset - 1 - gap, first)
          if (kind === 'receive') {
            expect(tracker.receive(ahead, bytes)).toBe(true)
            naive.receive(ahead, bytes)
          } else if (kind === 'skip') {
            tracker.skipTo(ahead)
            naive.skipTo(ahead)
          } else if (kind === 'begin') {
            tracker.begin(behind)
            naive.begin(behind)
          } else expect(tracker.finish(behind)).toBe(naive.finish(behind))
          expect(stateOf(tracker)).toEqual(naive.state)
          expect(tracker.commitPoint).toBeGreaterThanOrEqual(before)
        }
      }),
      { numRuns: 300 },
    )
  })
})
