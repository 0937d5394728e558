import type { DestinationUid } from '@barnabas/domain'
import type { Consent, HeadersOfRequest } from '@barnabas/drivers'
import { findDestination, updateDestinationByUid, type DestinationRow, type Storage } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { notFound } from '../http/api-error.js'
import { hashOfSubject } from './callbacks.js'
import { afterConsent, noSuchCallback, notVerified, sentenceOfAnswer } from './consent.js'
import type { Question, Verifier } from './verifier.js'

/**
 * What becomes of a destination when its target is asked:
 *
 *   created or changed ─► pending_verification ─► ask ─┬► consent ─► enabled, not faster than the target allows
 *                                    ▲                 │               ▲
 *                                    │                 ├► none ────────┤ the target calls back, if it was told where
 *                                    └─────────────────┴─ stays, until POST …/verify asks again
 *
 * A target is asked while nothing is locked; its answer, and its call, count only for what it was asked about.
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
    if (!isPending(row) || question?.purpose !== 'consent') return row
    const answer = await this.verifier.ask(question, row.entry.uid)
    if (answer.kind === 'verified') return (await this.take(row, question, answer)) ?? row
    const enabled = await this.enabledMeanwhile(row)
    if (enabled) return enabled
    this.log.warn({ ...fieldsOf(row), detail: answer.detail }, 'destination.not_verified')
    return row
  }

  /** Asks again. Throws 409 with what the target said when it does not want events. */
  async again(tenantId: string, id: string): Promise<DestinationRow> {
    const row = await this.storage.transaction((tx) => findDestination(tx, tenantId, id))
    if (!row) throw notFound('destination')
    const question = this.verifier.questionOf(row)
    if (!question)
      throw notVerified('the destination needs no verification; POST …/test shows whether events arrive')
    const answer = await this.verifier.ask(question, row.entry.uid)
    if (answer.kind !== 'verified') {
      const enabled = await this.enabledMeanwhile(row)
      if (enabled) return enabled
      throw notVerified(sentenceOfAnswer(answer, question))
    }
    if (question.purpose === 'check') return row
    const taken = await this.take(row, question, answer)
    if (!taken) throw notVerified('the destination was changed while its target was asked; ask again')
    return taken
  }

  /**
   * A consent that comes by the callback. Throws 404 when the secret is none or was made for what the destination is no
   * longer, 400 when the headers are no consent. A secret that this system did not make costs no transaction.
   */
  async callBack(secret: string, headers: HeadersOfRequest): Promise<DestinationRow> {
    const callback = this.verifier.readCallback(secret)
    if (!callback) throw noSuchCallback()
    const row = await this.consent(callback.uid, (question) =>
      hashOfSubject(question.subject) === callback.subjectHash
        ? this.verifier.consentOf(question, headers)
        : null,
    )
    if (!row) throw noSuchCallback()
    return row
  }

  /** Null when the answer is about what the destination no longer is. */
  private take({ entry }: DestinationRow, asked: Question, consent: Consent): Promise<DestinationRow | null> {
    return this.consent(entry.uid, ({ subject }) => (subject === asked.subject ? consent : null))
  }

  /** Null when `consentTo` finds none to what the destination is now; it is asked while the row is locked. */
  private async consent(
    uid: DestinationUid,
    consentTo: (question: Question) => Consent | null,
  ): Promise<DestinationRow | null> {
    let before: DestinationRow | null = null
    const row = await this.storage.transaction((tx) =>
      updateDestinationByUid(tx, uid, (current) => {
        const question = this.verifier.questionOf(current)
        const consent = question && consentTo(question)
        before = consent && current
        return consent ? afterConsent(current, consent) : {}
      }),
    )
    if (!row || !before) return null
    if (row !== before) this.log.info(fieldsOf(row), 'destination.verified')
    return row
  }

  /** A target may call back before it answers; null when it did not. */
  private async enabledMeanwhile(row: DestinationRow): Promise<DestinationRow | null> {
    if (!isPending(row)) return null
    const { tenantId, id, uid } = row.entry
    const now = await this.storage.transaction((tx) => findDestination(tx, tenantId, id))
    return now?.entry.uid === uid && now.entry.disabledAt === null ? now : null
  }
}

const isPending = ({ entry }: DestinationRow): boolean => entry.disabledReason === 'pending_verification'

const fieldsOf = ({ entry }: DestinationRow): object => ({
  tenant_id: entry.tenantId,
  destination_id: entry.id,
  destination_uid: entry.uid,
  version: entry.version,
})
