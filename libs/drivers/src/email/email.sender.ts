import { ok, type Outcome, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { lazy } from '../lazy.js'
import { standardText, textMaker, type TextMaker } from '../message-text.js'
import type { Network } from '../network/network.js'
import { failedWith, outcomeOfAbort, unlessAborted } from '../outcomes.js'
import { mailOf, type Envelope, type Mail } from './email.message.js'
import { outcomeOfMail, outcomeOfMailError } from './email.outcome.js'
import { openTransport, type MailTransport, type ServerSettings } from './email.transport.js'

export interface EmailTemplates {
  readonly subject_template: string
  readonly text_template?: string
}

/** Sends mails through one server, over a few connections of its own that are kept for the next mails. */
export class EmailSender implements Sender {
  private readonly transport: () => Promise<MailTransport>
  private readonly subject: TextMaker
  private readonly text: TextMaker
  private readonly underWay = new Set<Promise<unknown>>()
  private isOpen = false
  private closing: Promise<void> | null = null

  constructor(
    private readonly server: ServerSettings,
    private readonly envelope: Envelope,
    { subject_template, text_template }: EmailTemplates,
    private readonly network: Network,
  ) {
    this.transport = lazy(() => openTransport(server, network))
    this.subject = textMaker('subject', subject_template, standardText)
    this.text = textMaker('text', text_template, standardText)
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    if (this.server.mode === 'none' && !this.network.allowsPlainHttp)
      return failedWith('address_blocked', 'Mail servers without TLS are not allowed here.')
    const mail = this.mail(event, attempt)
    if (!mail.ok) return failedWith('template_failed', mail.failure)
    const work = this.deliver(mail.value, signal)
    this.underWay.add(work)
    try {
      return await unlessAborted(work, signal)
    } finally {
      this.underWay.delete(work)
    }
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  private async finish(): Promise<void> {
    await Promise.allSettled(this.underWay)
    if (this.isOpen) (await this.transport()).close()
  }

  private mail(event: OutgoingEvent, attempt: AttemptInfo): Result<Mail, string> {
    const subject = this.subject(event, attempt)
    if (!subject.ok) return subject
    const text = this.text(event, attempt)
    if (!text.ok) return text
    return ok(mailOf(this.envelope, { subject: subject.value, text: text.value }, event, attempt))
  }

  /** The library ends at the abort by itself: it takes the mail out of its queue, or closes the connection under it. */
  private async deliver(mail: Mail, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return outcomeOfAbort(signal.reason)
    this.isOpen = true
    const transport = await this.transport()
    try {
      const sent = await transport.sendMail({ ...mail, xMailer: false, signal })
      return outcomeOfMail(sent.response, sent.rejectedErrors ?? [])
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfMailError(error)
    }
  }
}
