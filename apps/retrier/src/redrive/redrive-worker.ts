import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock, SECOND, toError } from '@barnabas/domain'
import { claimRedrive, endRedrive, isUnavailable, releaseRedrive, type RedriveRow } from '@barnabas/storage'
import { HeldRedrive, LEASE_MS } from './held-redrive.js'
import { RedriveRun, type RedriveEnd, type RedriveParts } from './redrive-run.js'

const POLL_MS = SECOND
/** Redrives of this process at once: one of a slow tenant must not hold up all others. */
const MAX_AT_ONCE = 4
/** What is under way when the process ends is acknowledged by then, or done again by the next one. */
const STOP_GRACE_MS = 2 * SECOND
/** After a failure of Kafka or PostgreSQL. */
const PAUSE_MS = 2 * SECOND

/**
 * Looks for redrives that nobody works on, and carries them out. While PostgreSQL is away it finds none, and nothing
 * else of the retrier waits for it.
 */
export class RedriveWorker {
  private readonly owner = `retrier ${hostname()} ${randomUUID().slice(0, 8)}`
  private readonly running = new Map<HeldRedrive, Promise<void>>()
  private timer: NodeJS.Timeout | null = null
  private isPolling = false
  private isStopped = false
  private wasAway = false

  constructor(private readonly parts: RedriveParts) {}

  start(): void {
    this.timer = setInterval(() => void this.poll(), POLL_MS)
  }

  /** Stops with a checkpoint and gives the leases back, so that others go on at once. */
  async stop(): Promise<void> {
    this.isStopped = true
    if (this.timer) clearInterval(this.timer)
    for (const held of this.running.keys()) held.stop()
    const ended = Promise.allSettled(this.running.values())
    await Promise.race([ended, wait(STOP_GRACE_MS, undefined, { ref: false })])
    for (const held of this.running.keys()) held.giveUp()
    await ended
  }

  private async poll(): Promise<void> {
    if (this.isPolling || this.isStopped || this.running.size >= MAX_AT_ONCE) return
    // Whether destinations are there must be known before any is judged.
    if (!this.parts.catalog.isReady) return
    this.isPolling = true
    try {
      const { storage } = this.parts
      const claim = { owner: this.owner, leaseMs: LEASE_MS }
      const askedAtMs = monotonicClock.nowMs()
      const redrive = await storage.transaction((tx) => claimRedrive(tx, claim))
      this.wasAway = false
      if (redrive) this.begin(redrive, askedAtMs)
    } catch (error) {
      this.noteAway(error)
    } finally {
      this.isPolling = false
    }
  }

  private begin(redrive: RedriveRow, askedAtMs: number): void {
    const lease = { id: redrive.id, owner: this.owner, leaseMs: LEASE_MS }
    const held = new HeldRedrive(this.parts.storage, lease, redrive.state, askedAtMs)
    held.hold()
    const ending = this.carryOut(redrive, held).finally(() => {
      held.giveUp()
      this.running.delete(held)
    })
    this.running.set(held, ending)
  }

  private async carryOut(redrive: RedriveRow, held: HeldRedrive): Promise<void> {
    const { log, storage } = this.parts
    const fields = { redrive_id: redrive.id, tenant_id: redrive.tenantId }
    log.info({ ...fields, goes_on: redrive.progress !== null }, 'redrive.begun')
    try {
      const end = await new RedriveRun(redrive, held, this.parts).run()
      await this.finish(end, held)
      log.info(
        { ...fields, end: end.kind, ...('detail' in end ? { detail: end.detail } : {}) },
        'redrive.ended',
      )
    } catch (error) {
      log.warn({ ...fields, error: toError(error).message }, 'redrive.interrupted')
      if (!this.isStopped) await wait(PAUSE_MS)
      const given = { id: redrive.id, owner: this.owner }
      await storage.transaction((tx) => releaseRedrive(tx, given)).catch(() => undefined)
    }
  }

  private async finish(end: RedriveEnd, { id }: HeldRedrive): Promise<void> {
    const lease = { id, owner: this.owner }
    await this.parts.storage.transaction(async (tx) => {
      if (end.kind === 'stopped') return releaseRedrive(tx, lease)
      const { kind: state } = end
      await endRedrive(tx, lease, { state, detail: end.kind === 'failed' ? end.detail : '' })
    })
  }

  private noteAway(error: unknown): void {
    const { message } = toError(error)
    if (!isUnavailable(error)) this.parts.log.error({ error: message }, 'redrive.not_looked_for')
    else if (!this.wasAway) this.parts.log.warn({ error: message }, 'redrive.waits_for_postgres')
    this.wasAway = true
  }
}
