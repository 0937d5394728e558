import { failed, ok, toError, type DestinationEntry, type Result, type SecretBox } from '@barnabas/domain'
import { findDriver, type Sender, type SenderTools } from '@barnabas/drivers'
import type { Logger } from '@barnabas/telemetry'

/** Why no sender could be opened: the code of the outcome, and a sentence for the tenant. */
export interface Unopened {
  readonly code: 'unknown_destination_type' | 'invalid_settings'
  readonly detail: string
}

interface Entry {
  readonly version: number
  readonly sender: Sender
}

/**
 * Open senders by destination uid, each of one version: a change of config or credentials opens a new one and
 * closes the old, which first ends what it has in flight. Bounded; the least recently used is closed.
 */
export class SenderCache {
  private readonly entryByUid = new Map<string, Entry>()
  private readonly closing = new Set<Promise<void>>()

  /** `capacity`: senders held open at once. */
  constructor(
    private readonly secrets: SecretBox,
    private readonly log: Logger,
    private readonly capacity: number,
    private readonly tools: SenderTools,
  ) {}

  /** Senders that are open. */
  get open(): number {
    return this.entryByUid.size
  }

  get(destination: DestinationEntry): Result<Sender, Unopened> {
    const known = this.entryByUid.get(destination.uid)
    if (known && known.version >= destination.version) {
      // A Map keeps insertion order: taking an entry out and in makes it the most recently used.
      this.entryByUid.delete(destination.uid)
      this.entryByUid.set(destination.uid, known)
      return ok(known.sender)
    }
    const opened = this.openSender(destination)
    if (!opened.ok) return opened
    if (known) this.close(known)
    this.entryByUid.delete(destination.uid)
    this.entryByUid.set(destination.uid, { version: destination.version, sender: opened.value })
    this.evict()
    return opened
  }

  async closeAll(): Promise<void> {
    for (const entry of this.entryByUid.values()) this.close(entry)
    this.entryByUid.clear()
    await Promise.all(this.closing)
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
    if (valid.ok) return ok(driver.open(valid.value, this.tools))
    const fields = valid.failure.map(({ path, message }) => `${path} ${message}`).join('; ')
    return failed({
      code: 'invalid_settings',
      detail: `The settings of the destination are not valid: ${fields}.`,
    })
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
      if (this.entryByUid.size <= this.capacity) return
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
