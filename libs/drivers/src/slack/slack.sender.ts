import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { exchange } from '../http/api-outcome.js'
import { HttpTarget } from '../http/http-target.js'
import { standardText, textMaker, type TextMaker } from '../message-text.js'
import { failedWith } from '../outcomes.js'
import type { Vendor } from '../vendor.js'
import { slackMessage } from './slack.message.js'
import { meaningOfSlack } from './slack.outcome.js'

const HEADERS = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'barnabas/0.1' }

export interface SlackTemplates {
  readonly text_template?: string
  readonly header_template?: string
}

/** Posts messages to one incoming webhook. */
export class SlackSender implements Sender {
  private readonly target: HttpTarget
  private readonly text: TextMaker
  private readonly header: TextMaker | null

  constructor({ url, network }: Vendor, { text_template, header_template }: SlackTemplates) {
    // The path is the secret: whoever knows it may post.
    this.target = new HttpTarget(url, network, { secrets: [new URL(url).pathname] })
    this.text = textMaker('text', text_template, standardText)
    this.header = header_template === undefined ? null : textMaker('header', header_template, standardText)
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const text = this.text(event, attempt)
    if (!text.ok) return failedWith('template_failed', text.failure)
    const header = this.header?.(event, attempt) ?? null
    if (header !== null && !header.ok) return failedWith('template_failed', header.failure)
    const body = JSON.stringify(slackMessage(text.value, header?.value ?? null))
    return exchange(this.target, { method: 'POST', headers: HEADERS, body }, meaningOfSlack, signal)
  }

  close(): Promise<void> {
    return this.target.close()
  }
}
