import { SECOND } from '@barnabas/domain'

/** The group counts a session from a heartbeat's arrival, this process from its answer: at most so much later. */
const ANSWER_LIMIT_MS = SECOND

/**
 * Whether this process may still take itself for a member of its group. One that was stopped, starved or cut off for a
 * session was thrown out, others own its partitions, and nobody tells it: it must find out by itself before it begins
 * anything. It loses nothing by doubting: the next proof, or the next join, ends the doubt.
 */
export class Membership {
  private provenAtMs = Number.NEGATIVE_INFINITY

  /** `nowMs` by a clock that goes on while the process is stopped. */
  constructor(
    private readonly sessionTimeoutMs: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** The group has answered this member: a join, a heartbeat, a commit. */
  prove(): void {
    this.provenAtMs = this.nowMs()
  }

  get isSure(): boolean {
    return this.nowMs() - this.provenAtMs < this.sessionTimeoutMs - ANSWER_LIMIT_MS
  }
}
