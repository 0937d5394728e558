import { findDestination, updateDestination, type DestinationRow, type Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { notFound } from '../http/api-error.js'
import { afterConsent, notVerified, sentenceOfAnswer } from './consent.js'
import type { Verifier } from './verifier.js'

/**
 * What becomes of a destination when its target is asked:
 *
 *   created or changed ─► pending_verification ─► ask ─┬► consent ─► enabled, not faster than the target allows
 *                                    ▲                 └► none ─► stays, until POST …/verify asks again
 *
 * A target is asked while nothing is locked; its answer counts only for what it was asked about.
 */
export class Verification {
  constructor(
    private readonly storage: Storage,
    private readonly verifier: Verifier,
    private readonly log: Logger,
  ) {}

  /** The row after its target was asked, where it must be; as it was when there is no consent. */
  async settle(row: DestinationRow): Promise<DestinationRow> {
    const question = this.verifier.questionOf(row)
    if (row.entry.disabledReason !== 'pending_verification' || question?.purpose !== 'consent') return row
    const answer = await this.verifier.ask(question)
    if (answer.kind !== 'verified') {
      this.log.warn({ ...fieldsOf(row), detail: answer.detail }, 'destination.not_verified')
      return row
    }
    return (await this.take(row, question.subject, answer.ratePerMinute)) ?? row
  }

  /** Asks again. Throws 409 with what the target said when it does not want events. */
  async again(tenantId: string, id: string): Promise<DestinationRow> {
    const row = await this.storage.transaction((tx) => findDestination(tx, tenantId, id))
    if (!row) throw notFound('destination')
    const question = this.verifier.questionOf(row)
    if (!question) throw notVerified('the settings of the destination name no way to ask its target')
    const answer = await this.verifier.ask(question)
    if (answer.kind !== 'verified') throw notVerified(sentenceOfAnswer(answer, question))
    if (question.purpose === 'check') return row
    const taken = await this.take(row, question.subject, answer.ratePerMinute)
    if (!taken) throw notVerified('the destination was changed while its target was asked; ask again')
    return taken
  }

  /** Null when the answer is about what the destination no longer is. */
  private async take(
    { entry }: DestinationRow,
    subject: string,
    ratePerMinute: number | null,
  ): Promise<DestinationRow | null> {
    let isCurrent = false
    const row = await this.storage.transaction((tx) =>
      updateDestination(tx, entry.tenantId, entry.id, (current) => {
        isCurrent = current.entry.uid === entry.uid && this.verifier.questionOf(current)?.subject === subject
        return isCurrent ? afterConsent(current, ratePerMinute) : {}
      }),
    )
    if (!row || !isCurrent) return null
    this.log.info(fieldsOf(row), 'destination.verified')
    return row
  }
}

const fieldsOf = ({ entry }: DestinationRow): object => ({
  tenant_id: entry.tenantId,
  destination_id: entry.id,
  destination_uid: entry.uid,
  version: entry.version,
})
