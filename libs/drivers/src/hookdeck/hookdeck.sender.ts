import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender, SenderTools } from '../driver.js'
import { isHeaderName, safeValue } from '../http/header-values.js'
import { HttpTarget } from '../http/http-target.js'
import { outcomeOfAbort, outcomeOfError } from '../outcomes.js'
import { systemMetadata } from '../system-metadata.js'
import { outcomeOfHookdeck } from './hookdeck.outcome.js'
import { signatureOf, sourceIdOf } from './hookdeck.token.js'
import { eventsUrl, networkFor } from './hookdeck.urls.js'

/** Metadata of the event and ours, by the reference contract's prefix. */
const PREFIX = 'x-outpost-'
const MILLISECONDS = 1_000

/** Posts events to one source of Hookdeck's over connections of its own. */
export class HookdeckSender implements Sender {
  private readonly target: HttpTarget

  /** The token has passed `checkToken`. */
  constructor(
    private readonly token: string,
    tools: SenderTools,
  ) {
    const url = eventsUrl(tools.endpoints, sourceIdOf(token) ?? '')
    this.target = new HttpTarget(url, networkFor('hookdeck', tools), { secrets: [token] })
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const { payload } = event
    const headers = { ...headersOf(event, attempt), 'x-hookdeck-signature': signatureOf(this.token, payload) }
    try {
      const response = await this.target.request({ method: 'POST', headers, body: payload }, signal)
      return outcomeOfHookdeck(response, Date.now())
    } catch (error) {
      return signal.aborted ? outcomeOfAbort(signal.reason) : outcomeOfError(error)
    }
  }

  close(): Promise<void> {
    return this.target.close()
  }
}

/** Names that differ in case are one header: ours come last and win. */
function headersOf(event: OutgoingEvent, attempt: AttemptInfo): Record<string, string> {
  const { meta } = event
  // The contract's name for the event's time, in its unit.
  const timestamp = String(Math.floor(Date.parse(meta.time) / MILLISECONDS))
  return {
    ...prefixed(meta.metadata),
    ...prefixed({ ...systemMetadata(event, attempt), timestamp }),
    'content-type': safeValue(meta.contentType),
    ...(meta.traceparent === null ? {} : { traceparent: safeValue(meta.traceparent) }),
  }
}

const prefixed = (metadata: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata)
      .filter(([name]) => isHeaderName(name))
      .map(([name, value]) => [PREFIX + name.toLowerCase(), safeValue(value)]),
  )
