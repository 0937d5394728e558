import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Assignment, type Place } from './assignment.js'
import { partitionKey } from './committed-offsets.js'
import type { OffsetRun } from './finished-map.js'
import type { Committed } from './leased-partition.js'
import { LiveBytes } from './live-bytes.js'
import type { LogRecord, PartitionLease } from './ports.js'

const PLACE: Place = { kafkaTopic: 't', partition: 0 }
const KEY = partitionKey('t', 0)

const record = (offset: number): LogRecord => ({
  ...PLACE,
  offset,
  key: null,
  value: Buffer.alloc(1),
  headers: {},
  timestampMs: 0,
})

const nothing = (): Map<string, Committed> => new Map()
const committedAt = (offset: number, finished: readonly OffsetRun[] = []): Map<string, Committed> =>
  new Map([[KEY, { offset, finished }]])

/** One partition, as a consumer would drive it. */
class Driven {
  readonly handedOut: number[] = []
  readonly leases: PartitionLease[] = []
  private readonly assignment = new Assignment(
    () => ({ pause: () => undefined, resume: () => undefined }),
    new LiveBytes(),
  )

  join(memberId: string, committed: Map<string, Committed>, isAssigned = true): number | undefined {
    this.assignment.join(memberId, isAssigned ? [PLACE] : [])
    return this.assignment.admit(committed)[0]?.offset
  }

  fetch(from: number, to: number): string {
    const fit = this.assignment.fitOf(PLACE, from)
    if (fit !== 'fits') return fit
    const leased = this.assignment.lease(PLACE, from)
    const offsets = Array.from({ length: to - from }, (_, index) => from + index)
    const accepted = leased.receive(offsets.map(record), to - 1)
    if (!this.leases.includes(leased.lease)) this.leases.push(leased.lease)
    this.handedOut.push(...accepted.map(({ offset }) => offset))
    return fit
  }

  get lease(): PartitionLease {
    const lease = this.leases.at(-1)
    if (!lease) throw new Error('no lease yet')
    return lease
  }

  get mark() {
    return this.assignment.leased[0]?.dueCommit ?? null
  }
}

describe('Assignment', () => {
  it('keeps a lease over a join of the same member, and reads on behind what it has', () => {
    const driven = new Driven()
    expect(driven.join('m', nothing())).toBe(0)
    driven.fetch(0, 4)
    expect(driven.join('m', committedAt(0))).toBe(4)
    driven.fetch(4, 6)
    expect(driven.handedOut).toEqual([0, 1, 2, 3, 4, 5])
    expect(driven.leases).toHaveLength(1)
  })

  it.each([
    ['another member id', (driven: Driven) => driven.join('n', committedAt(1))],
    ['an offset that somebody else committed', (driven: Driven) => driven.join('m', committedAt(1))],
    [
      'a finished record that it does not know of',
      (driven: Driven) => driven.join('m', committedAt(0, [[2, 3]])),
    ],
    ['a join without the partition', (driven: Driven) => driven.join('m', nothing(), false)],
  ])('ends the lease at %s', (_reason, join) => {
    const driven = new Driven()
    driven.join('m', nothing())
    driven.fetch(0, 4)
    const { lease } = driven
    join(driven)
    expect(lease.signal.aborted).toBe(true)
    lease.done(0)
    expect(driven.mark).toBeNull()
  })

  it('does not hand out again what the committed map marks as finished, and commits past it', () => {
    const driven = new Driven()
    expect(driven.join('m', committedAt(10, [[11, 13]]))).toBe(10)
    driven.fetch(10, 15)
    expect(driven.handedOut).toEqual([10, 13, 14])
    driven.lease.done(10)
    expect(driven.mark?.offset).toBe(13)
  })

  it('refuses a batch of before the join, which would leave a gap, and takes a real gap when it comes again', () => {
    const driven = new Driven()
    driven.join('m', committedAt(10))
    expect(driven.fetch(50, 52)).toBe('ask-again')
    expect(driven.fetch(10, 12)).toBe('fits')
    expect(driven.fetch(80, 82)).toBe('ask-again')
    expect(driven.fetch(80, 82)).toBe('fits')
    expect(driven.handedOut).toEqual([10, 11, 80, 81])
  })

  it('loses and commits nothing that is not finished, whatever happens between (against a naive model)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const model = new Model()
        for (const { kind, number } of steps) model[kind](number)
      }),
      { numRuns: 300 },
    )
  })
})

const step = fc.record({
  kind: fc.constantFrom('fetch' as const, 'done' as const, 'commit' as const, 'rejoin' as const),
  number: fc.nat({ max: 1_000 }),
})

/** Sets instead of rings: what was finished by anybody, and what the group has committed. */
class Model {
  private readonly driven = new Driven()
  private readonly finished = new Set<number>()
  private committed: Committed | null = null
  private position = this.driven.join('m0', nothing()) ?? 0
  private member = 0
  private isOurs = true

  fetch(number: number): void {
    if (!this.isOurs) return
    const before = this.driven.handedOut.length
    const to = this.position + (number % 9) + 1
    expect(this.driven.fetch(this.position, to)).toBe('fits')
    this.position = to
    // What the group knows to be finished is not handed out again.
    const least = Math.min(...this.driven.handedOut.slice(before))
    expect(least).toBeGreaterThanOrEqual(this.committed?.offset ?? 0)
  }

  done(number: number): void {
    const { handedOut, leases } = this.driven
    const offset = handedOut[number % Math.max(handedOut.length, 1)]
    if (offset === undefined || leases.at(-1)?.signal.aborted !== false) return
    this.driven.lease.done(offset)
    this.finished.add(offset)
  }

  commit(): void {
    const { mark } = this.driven
    if (!mark) return
    // Everything below a commit point was finished by somebody.
    const below = Array.from({ length: mark.offset }, (_, offset) => offset)
    expect(below.filter((offset) => !this.finished.has(offset))).toEqual([])
    this.committed = { offset: mark.offset, finished: [] }
  }

  rejoin(number: number): void {
    if (number % 3 === 0) this.member++
    this.isOurs = number % 4 !== 0
    const known = this.committed ? new Map([[KEY, this.committed]]) : nothing()
    this.position = this.driven.join(`m${this.member}`, known, this.isOurs) ?? 0
    if (this.isOurs) expect(this.position).toBeGreaterThanOrEqual(this.committed?.offset ?? 0)
  }
}
