import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { outcomeOfResponse } from '../http/http-outcome.js'
import { type HttpTarget, type HttpRequest, type HttpResponse } from '../http/http-target.js'
import { outcomeOfAbort, outcomeOfError, unlessAborted } from '../outcomes.js'
import type { Authentication, Proof } from './webhook.auth.js'
import { binaryHeaders, STRUCTURED_CONTENT_TYPE, structuredBody } from './webhook.cloud-events.js'
import { webhookHeaders } from './webhook.headers.js'
import { sign, type SigningKey } from './webhook.signature.js'

const MILLISECONDS = 1_000
const UNAUTHORIZED = 401

/** A key, and the moment from which nothing is signed with it. */
export interface LiveKey extends SigningKey {
  readonly untilMs: number
}

export interface WebhookOptions {
  readonly method: HttpRequest['method']
  readonly format: 'payload' | 'cloudevents_binary' | 'cloudevents_structured'
  readonly keys: readonly LiveKey[]
  /** Headers of every request besides those of the event; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly auth: Authentication
}

/** Sends events to one URL over connections of its own. */
export class WebhookSender implements Sender {
  private readonly sends = new Set<Promise<Outcome>>()
  private closing: Promise<void> | null = null

  constructor(
    private readonly target: HttpTarget,
    private readonly options: WebhookOptions,
  ) {}

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const sent = this.attempt(event, attempt, signal)
    this.sends.add(sent)
    return sent.finally(() => this.sends.delete(sent))
  }

  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  /** A send in flight may still need a token, and a second request. */
  private async end(): Promise<void> {
    await Promise.allSettled(this.sends)
    await Promise.all([this.target.close(), this.options.auth.close()])
  }

  private async attempt(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    try {
      const response = await this.request(this.message(event, attempt), signal)
      return 'kind' in response ? response : outcomeOfResponse(response, Date.now())
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfError(error)
    }
  }

  /** A token that expired before its time is the one reason to ask twice: the target took nothing the first time. */
  private async request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse | Outcome> {
    const { auth } = this.options
    const askedAtMs = Date.now()
    const proof = await proofFor(auth, signal)
    if ('kind' in proof) return proof
    const first = await this.target.request(withHeaders(request, proof.headers), signal)
    if (first.status !== UNAUTHORIZED || !auth.refused(proof, askedAtMs)) return first
    const second = await proofFor(auth, signal)
    if ('kind' in second) return second
    const answer = await this.target.request(withHeaders(request, second.headers), signal)
    if (answer.status === UNAUTHORIZED) auth.refused(second, askedAtMs)
    return answer
  }

  private message(event: OutgoingEvent, attempt: AttemptInfo): HttpRequest {
    const { method, format, headers: fixed, keys } = this.options
    const nowMs = Date.now()
    const timestampSeconds = Math.floor(nowMs / MILLISECONDS)
    const body = format === 'cloudevents_structured' ? structuredBody(event) : event.payload
    const headers: Record<string, string> = {
      ...fixed,
      ...webhookHeaders(event, attempt, timestampSeconds),
      ...(format === 'cloudevents_binary' ? binaryHeaders(event) : {}),
      ...(format === 'cloudevents_structured' ? { 'content-type': STRUCTURED_CONTENT_TYPE } : {}),
    }
    const id = headers['webhook-id'] ?? ''
    const signatures = keys
      .filter(({ untilMs }) => nowMs < untilMs)
      .map((key) => sign(key, id, timestampSeconds, body))
    headers['webhook-signature'] = signatures.join(' ')
    return { method, body, headers }
  }
}

/** What waits for a token that others wait for too cannot stop the wait, only leave it. */
async function proofFor(auth: Authentication, signal: AbortSignal): Promise<Proof | Outcome> {
  const proof = await unlessAborted(auth.proof(), signal)
  if ('kind' in proof) return proof
  return proof.ok ? proof.value : proof.failure
}

const withHeaders = (request: HttpRequest, headers: Readonly<Record<string, string>>): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
  secrets: Object.values(headers).map(withoutScheme),
})

/** `Bearer x` is `x`, which may come back without the word before it. */
const withoutScheme = (value: string): string => value.replace(/^(?:Basic|Bearer) /, '')
