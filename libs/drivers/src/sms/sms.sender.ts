import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { exchange } from '../http/api-outcome.js'
import { HttpTarget } from '../http/http-target.js'
import { textMaker, type TextMaker } from '../message-text.js'
import { failedWith } from '../outcomes.js'
import type { Vendor } from '../vendor.js'
import { smsForm, standardSms, type SmsParties } from './sms.message.js'
import { meaningOfTwilio } from './sms.outcome.js'

export interface SmsConfig extends SmsParties {
  readonly text_template?: string
}

/** Sends text messages to one number, over connections of its own. */
export class SmsSender implements Sender {
  private readonly target: HttpTarget
  private readonly text: TextMaker
  private readonly headers: Readonly<Record<string, string>>

  /** `user` and `password`: for HTTP's basic authentication. */
  constructor(
    { url, network }: Vendor,
    private readonly config: SmsConfig,
    user: string,
    password: string,
  ) {
    const login = Buffer.from(`${user}:${password}`).toString('base64')
    this.target = new HttpTarget(url, network, { secrets: [password, login] })
    this.text = textMaker('text', config.text_template, standardSms)
    this.headers = {
      authorization: `Basic ${login}`,
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'barnabas/0.1',
    }
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const text = this.text(event, attempt)
    if (!text.ok) return failedWith('template_failed', text.failure)
    const body = smsForm(this.config, text.value)
    return exchange(this.target, { method: 'POST', headers: this.headers, body }, meaningOfTwilio, signal)
  }

  close(): Promise<void> {
    return this.target.close()
  }
}
