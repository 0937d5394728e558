import {
  failed,
  MINUTE,
  ok,
  toError,
  type Clock,
  type DestinationEntry,
  type Result,
  type SecretBox,
} from '@barnabas/domain'
import { findDriver, type Sender, type SenderTools } from '@barnabas/drivers'
import type { Logger } from '@barnabas/telemetry'

/** Why no sender could be opened: the code of the outcome, and a sentence for the tenant. */
export interface Unopened {
  readonly code: 'unknown_destination_type' | 'invalid_settings'
  readonly detail: string
}

interface Entry {
  readonly destination: DestinationEntry
  readonly sender: Sender
  usedAtMs: number
}

export interface SenderCacheOptions {
  /** Senders held open at once. */
  readonly capacity: number
  /** Monotonic. */
  readonly clock: Clock
  /** For the senders. */
  readonly tools: SenderTools
}

/**
 * A sender that nothing was sent with for so long is closed: brokers close idle connections after about as long
 * (Kafka's connections.max.idle.ms is ten minutes), and a customer's server should not hold ours for ever.
 */
export const SENDER_IDLE_MS = 10 * MINUTE

/**
 * Open senders by destination uid, each of one version: a change of config or credentials opens a new one and
 * closes the old, which first ends what it has in flight; any other change keeps it. Bounded: the least recently used
 * is closed, and what is idle.
 */
export class SenderCache {
  private readonly entryByUid = new Map<string, Entry>()
  private readonly closing = new Set<Promise<void>>()

  private timer: NodeJS.Timeout | null = null

  constructor(
    private readonly secrets: SecretBox,
    private readonly log: Logger,
    private readonly options: SenderCacheOptions,
  ) {}

  /** Closes idle senders by itself; tests call `closeIdle` instead. */
  start(): void {
    this.timer ??= setInterval(() => this.closeIdle(), MINUTE)
  }

  /** Senders that are open. */
  get open(): number {
    return this.entryByUid.size
  }

  get(destination: DestinationEntry): Result<Sender, Unopened> {
    const known = this.entryByUid.get(destination.uid)
    if (known && isServedBy(known, destination)) {
      this.use(known, known.destination.version >= destination.version ? known.destination : destination)
      return ok(known.sender)
    }
    const opened = this.openSender(destination)
    if (!opened.ok) return opened
    if (known) this.close(known)
    this.use({ destination, sender: opened.value, usedAtMs: 0 }, destination)
    this.evict()
    return opened
  }

  /** Closes what nothing was sent with for `SENDER_IDLE_MS`. */
  closeIdle(): void {
    const idleSinceMs = this.options.clock.nowMs() - SENDER_IDLE_MS
    for (const [uid, entry] of this.entryByUid) {
      // In the order of their last use.
      if (entry.usedAtMs > idleSinceMs) return
      this.entryByUid.delete(uid)
      this.close(entry)
    }
  }

  async closeAll(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    for (const entry of this.entryByUid.values()) this.close(entry)
    this.entryByUid.clear()
    await Promise.all(this.closing)
  }

  /** A Map keeps insertion order: taking an entry out and in makes it the most recently used. */
  private use({ sender }: Entry, destination: DestinationEntry): void {
    this.entryByUid.delete(destination.uid)
    this.entryByUid.set(destination.uid, { destination, sender, usedAtMs: this.options.clock.nowMs() })
  }

  private openSender(destination: DestinationEntry): Result<Sender, Unopened> {
    const driver = findDriver(destination.type)
    if (!driver) {
      return failed({
        code: 'unknown_destination_type',
        detail: `This release has no destination type "${destination.type}".`,
      })
    }
    const settings = this.settingsOf(destination)
    if (!settings.ok) return settings
    const valid = driver.validate(settings.value)
    if (valid.ok) return ok(driver.open(valid.value, this.toolsFor(destination)))
    const fields = valid.failure.map(({ path, message }) => `${path} ${message}`).join('; ')
    return failed({
      code: 'invalid_settings',
      detail: `The settings of the destination are not valid: ${fields}.`,
    })
  }

  private toolsFor({ tenantUid }: DestinationEntry): SenderTools {
    return { ...this.options.tools, tenantUid }
  }

  private settingsOf(
    destination: DestinationEntry,
  ): Result<{ config: Record<string, string>; credentials: Record<string, string> }, Unopened> {
    try {
      const opened = this.secrets.open(destination.sealedCredentials, destination.uid)
      return ok({
        config: { ...destination.config },
        credentials: JSON.parse(opened) as Record<string, string>,
      })
    } catch (error) {
      this.log.error(
        { destination_uid: destination.uid, error: toError(error).message },
        'destination.sealed',
      )
      return failed({
        code: 'invalid_settings',
        detail: 'The credentials of the destination cannot be opened; set them again.',
      })
    }
  }

  private evict(): void {
    for (const [uid, entry] of this.entryByUid) {
      if (this.entryByUid.size <= this.options.capacity) return
      this.entryByUid.delete(uid)
      this.close(entry)
    }
  }

  private close({ sender }: Entry): void {
    const closed: Promise<void> = sender
      .close()
      .catch((error: unknown) => this.log.warn({ error: toError(error).message }, 'sender.close_failed'))
      .finally(() => this.closing.delete(closed))
    this.closing.add(closed)
  }
}

/** An older version may still be asked for by what was read before the change; the newer sender serves it too. */
function isServedBy({ destination: known }: Entry, asked: DestinationEntry): boolean {
  if (known.version >= asked.version) return true
  const isSealedAlike = known.sealedCredentials === asked.sealedCredentials
  return isSealedAlike && JSON.stringify(known.config) === JSON.stringify(asked.config)
}
