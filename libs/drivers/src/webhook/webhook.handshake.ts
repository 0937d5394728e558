import { failed, ok, type Result } from '@barnabas/domain'
import type { Consent, HeadersOfRequest, SenderTools, Verification, VerificationTools } from '../driver.js'
import { HttpTarget, type HttpResponse } from '../http/http-target.js'
import { outcomeOfError, unlessAborted } from '../outcomes.js'
import { tlsOptions } from '../tls-settings.js'
import { authenticationOf } from './webhook.auth.js'
import { readHeaders } from './webhook.custom-headers.js'
import type { WebhookSettings } from './webhook.fields.js'

/** Of systems that say nothing: a name that no DNS will ever know. */
export const DEFAULT_ORIGIN = 'barnabas.internal'

/** Stands in every delivery to a target that gave its consent. */
export const REQUEST_ORIGIN = 'webhook-request-origin'
const REQUEST_RATE = 'webhook-request-rate'
const REQUEST_CALLBACK = 'webhook-request-callback'
const ALLOWED_ORIGIN = 'webhook-allowed-origin'
const ALLOWED_RATE = 'webhook-allowed-rate'
const ANY = '*'
const RATE = /^[1-9]\d{0,8}$/
/** What `RATE` takes at most: more than anybody sends, less than where numbers lose digits. */
const MAX_RATE_PER_MINUTE = 999_999_999

/** The setting that a target refuses by not consenting. */
const PATH = 'config.url'

/** Asks a target for its consent: CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", §4. */
export async function askForConsent(
  settings: WebhookSettings,
  { network, origin = DEFAULT_ORIGIN, callbackUrl }: VerificationTools,
  signal: AbortSignal,
): Promise<Verification> {
  const { config, credentials } = settings
  const tls = tlsOptions(settings) ?? {}
  const target = new HttpTarget(config.url, network, { tls })
  const auth = authenticationOf(settings, network, tls)
  try {
    const proof = await unlessAborted(auth.proof(), signal)
    if ('kind' in proof) return late()
    if (!proof.ok) return unreached(proof.failure)
    const headers = {
      ...readHeaders(config.custom_headers),
      ...readHeaders(credentials.secret_headers),
      ...proof.value.headers,
      [REQUEST_ORIGIN]: origin,
      ...(config.request_rate === undefined ? {} : { [REQUEST_RATE]: config.request_rate }),
      ...(callbackUrl === undefined ? {} : { [REQUEST_CALLBACK]: callbackUrl }),
    }
    const response = await target.request({ method: 'OPTIONS', headers }, signal)
    return readConsent(response, {
      origin,
      isRateAsked: config.request_rate !== undefined,
      hasCallback: callbackUrl !== undefined,
    })
  } catch (error) {
    return signal.aborted ? late() : unreached(outcomeOfError(error))
  } finally {
    await Promise.all([target.close(), auth.close()])
  }
}

const late = (): Verification => ({ kind: 'unreached', detail: 'The target did not answer in time.' })

const unreached = (outcome: ReturnType<typeof outcomeOfError>): Verification => ({
  kind: 'unreached',
  detail: 'detail' in outcome ? outcome.detail : '',
})

const refused = (detail: string): Verification => ({ kind: 'refused', path: PATH, detail })

interface Asked {
  readonly origin: string
  readonly isRateAsked: boolean
  readonly hasCallback: boolean
}

/** Pure: consent is in the headers; a status alone is none. A target that consents by callback withholds them (§4.2). */
export function readConsent(
  { status, headers }: Pick<HttpResponse, 'status' | 'headers'>,
  { origin, isRateAsked, hasCallback }: Asked,
): Verification {
  if (status < 200 || status > 299)
    return refused(`The target answered ${status} when it was asked for its consent.`)
  const allowed = headers[ALLOWED_ORIGIN]
  if (allowed === undefined && hasCallback)
    return {
      kind: 'awaited',
      detail: `The target answered ${status} without WebHook-Allowed-Origin; it is awaited at the address in WebHook-Request-Callback.`,
    }
  if (!isAllowed(allowed, origin))
    return refused(`The target did not answer with WebHook-Allowed-Origin: ${origin}, which is its consent.`)
  const rate = headers[ALLOWED_RATE]
  if (rate === undefined && !isRateAsked) return { kind: 'verified', ratePerMinute: null }
  const ratePerMinute = readRate(rate)
  if (ratePerMinute !== undefined) return { kind: 'verified', ratePerMinute }
  return refused('The target did not answer with WebHook-Allowed-Rate, a number of requests per minute or *.')
}

/**
 * Pure: whoever knows the callback's address may consent by calling it (§4.1.3). The headers of the consent may stand in
 * that request, and then say what they say in an answer; without a rate, that which was asked for is granted.
 */
export function readCallback(
  { config }: Pick<WebhookSettings, 'config'>,
  headers: HeadersOfRequest,
  { origin = DEFAULT_ORIGIN }: Pick<SenderTools, 'origin'>,
): Result<Consent, string> {
  const allowed = headers[ALLOWED_ORIGIN]
  if (allowed !== undefined && !isAllowed(allowed, origin))
    return failed(`WebHook-Allowed-Origin must be ${origin} or *`)
  const rate = headers[ALLOWED_RATE] ?? config.request_rate ?? ANY
  const ratePerMinute = readRate(rate)
  return ratePerMinute === undefined
    ? failed(
        `WebHook-Allowed-Rate must be a whole number of requests per minute from 1 to ${MAX_RATE_PER_MINUTE}, or *`,
      )
    : ok({ ratePerMinute })
}

const isAllowed = (given: HeadersOfRequest[string], origin: string): boolean => {
  if (typeof given !== 'string') return false
  const allowed = given.trim().toLowerCase()
  return allowed === ANY || allowed === origin.toLowerCase()
}

/** Null = any; undefined when it is no rate. */
function readRate(given: HeadersOfRequest[string]): number | null | undefined {
  if (typeof given !== 'string') return undefined
  const rate = given.trim()
  if (rate === ANY) return null
  return RATE.test(rate) ? Number(rate) : undefined
}
