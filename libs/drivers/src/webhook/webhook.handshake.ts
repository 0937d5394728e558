import type { SenderTools, Verification } from '../driver.js'
import { HttpTarget, type HttpResponse } from '../http/http-target.js'
import { outcomeOfError } from '../outcomes.js'
import { tlsOptions } from '../tls-settings.js'
import { authenticationOf } from './webhook.auth.js'
import { readHeaders } from './webhook.custom-headers.js'
import type { WebhookSettings } from './webhook.fields.js'

/** Of systems that say nothing: a name that no DNS will ever know. */
export const DEFAULT_ORIGIN = 'barnabas.internal'

/** Stands in every delivery to a target that gave its consent. */
export const REQUEST_ORIGIN = 'webhook-request-origin'
const REQUEST_RATE = 'webhook-request-rate'
const ALLOWED_ORIGIN = 'webhook-allowed-origin'
const ALLOWED_RATE = 'webhook-allowed-rate'
const ANY = '*'

/** The setting that a target refuses by not consenting. */
const PATH = 'config.url'

/** Asks a target for its consent: CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", §4. */
export async function askForConsent(
  settings: WebhookSettings,
  { network, origin = DEFAULT_ORIGIN }: SenderTools,
  signal: AbortSignal,
): Promise<Verification> {
  const { config, credentials } = settings
  const tls = tlsOptions(settings) ?? {}
  const target = new HttpTarget(config.url, network, { tls })
  const auth = authenticationOf(settings, network, tls)
  try {
    const proof = await auth.proof()
    if (!proof.ok) return unreached(proof.failure)
    const headers = {
      ...readHeaders(config.custom_headers),
      ...readHeaders(credentials.secret_headers),
      ...proof.value.headers,
      [REQUEST_ORIGIN]: origin,
      ...(config.request_rate === undefined ? {} : { [REQUEST_RATE]: config.request_rate }),
    }
    const response = await target.request({ method: 'OPTIONS', headers }, signal)
    return readConsent(response, { origin, isRateAsked: config.request_rate !== undefined })
  } catch (error) {
    return signal.aborted
      ? { kind: 'unreached', detail: 'The target did not answer in time.' }
      : unreached(outcomeOfError(error))
  } finally {
    await Promise.all([target.close(), auth.close()])
  }
}

const unreached = (outcome: ReturnType<typeof outcomeOfError>): Verification => ({
  kind: 'unreached',
  detail: 'detail' in outcome ? outcome.detail : '',
})

const refused = (detail: string): Verification => ({ kind: 'refused', path: PATH, detail })

/** Pure: consent is in the headers; a status alone is none. */
export function readConsent(
  { status, headers }: Pick<HttpResponse, 'status' | 'headers'>,
  { origin, isRateAsked }: { readonly origin: string; readonly isRateAsked: boolean },
): Verification {
  if (status < 200 || status > 299)
    return refused(`The target answered ${status} when it was asked for its consent.`)
  const allowed = headers[ALLOWED_ORIGIN]?.trim().toLowerCase()
  if (allowed !== ANY && allowed !== origin.toLowerCase())
    return refused(`The target did not answer with WebHook-Allowed-Origin: ${origin}, which is its consent.`)
  const rate = headers[ALLOWED_RATE]?.trim()
  if (rate === ANY || (rate === undefined && !isRateAsked)) return { kind: 'verified', ratePerMinute: null }
  if (rate !== undefined && /^[1-9]\d{0,8}$/.test(rate))
    return { kind: 'verified', ratePerMinute: Number(rate) }
  return refused('The target did not answer with WebHook-Allowed-Rate, a number of requests per minute or *.')
}
