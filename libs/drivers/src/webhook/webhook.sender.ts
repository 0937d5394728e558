import type { KeyObject } from 'node:crypto'
import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { outcomeOfResponse } from '../http/http-outcome.js'
import { HttpTarget } from '../http/http-target.js'
import type { Network } from '../network/network.js'
import { outcomeOfAbort, outcomeOfError } from '../outcomes.js'
import { webhookHeaders } from './webhook.headers.js'
import { sign } from './webhook.signature.js'

const MILLISECONDS = 1_000

/** Posts events to one URL over connections of its own. */
export class WebhookSender implements Sender {
  private readonly target: HttpTarget

  constructor(
    url: string,
    private readonly key: KeyObject,
    network: Network,
  ) {
    this.target = new HttpTarget(url, network)
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const headers = this.headers(event, attempt)
    try {
      const response = await this.target.request({ method: 'POST', headers, body: event.payload }, signal)
      return outcomeOfResponse(response, Date.now())
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfError(error)
    }
  }

  close(): Promise<void> {
    return this.target.close()
  }

  private headers(event: OutgoingEvent, attempt: AttemptInfo): Record<string, string> {
    const timestampSeconds = Math.floor(Date.now() / MILLISECONDS)
    const headers = webhookHeaders(event, attempt, timestampSeconds)
    const id = headers['webhook-id'] ?? ''
    return { ...headers, 'webhook-signature': sign(this.key, id, timestampSeconds, event.payload) }
  }
}
