import type { Clock } from '@barnabas/domain'

/** A clock that moves only when told. */
export class FakeClock implements Clock {
  constructor(private atMs = Date.parse('2026-01-15T10:00:00Z')) {}

  nowMs(): number {
    return this.atMs
  }

  advance(byMs: number): void {
    this.atMs += byMs
  }
}
