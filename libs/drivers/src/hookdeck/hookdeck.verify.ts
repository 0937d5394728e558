import type { SenderTools, Verification } from '../driver.js'
import { HttpTarget, type HttpResponse } from '../http/http-target.js'
import { outcomeOfError } from '../outcomes.js'
import { sourceIdOf } from './hookdeck.token.js'
import { networkFor, verifyUrl } from './hookdeck.urls.js'

const PATH = 'credentials.token'

/** Asks Hookdeck whether a token is one of a source that takes events. */
export async function verifyToken(
  token: string,
  tools: SenderTools,
  signal: AbortSignal,
): Promise<Verification> {
  const url = verifyUrl(tools.endpoints, sourceIdOf(token) ?? '')
  const target = new HttpTarget(url, networkFor('hookdeck_api', tools))
  try {
    const headers = { accept: 'application/json', 'x-hookdeck-source-token': token }
    return readVerification(await target.request({ method: 'GET', headers }, signal))
  } catch (error) {
    if (signal.aborted) return { kind: 'unreached', detail: 'Hookdeck did not answer in time.' }
    const outcome = outcomeOfError(error)
    return { kind: 'unreached', detail: 'detail' in outcome ? outcome.detail : '' }
  } finally {
    await target.close()
  }
}

const refused = (detail: string): Verification => ({ kind: 'refused', path: PATH, detail })

/** Pure: what Hookdeck's answer says of the token. */
export function readVerification({ status, body }: Pick<HttpResponse, 'status' | 'body'>): Verification {
  if (status >= 500 || status === 429)
    return { kind: 'unreached', detail: `Hookdeck answered ${status} when it was asked about the token.` }
  if (status !== 200) return refused(`was refused by Hookdeck (status ${status})`)
  const source = sourceOf(body)
  if (source === null)
    return { kind: 'unreached', detail: 'Hookdeck answered with something that is no source.' }
  return source['disabled_at'] === null || source['disabled_at'] === undefined
    ? { kind: 'verified', ratePerMinute: null }
    : refused('belongs to a source that is disabled at Hookdeck')
}

function sourceOf(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'))
    return typeof json === 'object' && json !== null && 'url' in json ? json : null
  } catch {
    return null
  }
}
