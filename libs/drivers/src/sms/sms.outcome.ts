import type { HttpResponse } from '../http/http-target.js'
import type { Meaning } from '../http/api-outcome.js'

const NO_SUCH_RECIPIENT: Meaning = {
  code: 'target_not_found',
  detail: 'The number in "To" does not exist, or does not take text messages from this sender.',
}
const NO_SUCH_SENDER: Meaning = {
  code: 'target_not_found',
  detail: 'The number or messaging service in "From" cannot send text messages for this account.',
}
const REJECTED: Meaning = { code: 'credentials_rejected' }
const REFUSED: Meaning = {
  code: 'event_refused',
  detail: 'The message was refused; the answer names the reason.',
}

/** https://www.twilio.com/docs/api/errors; codes that are not listed are judged by the status. */
const BY_CODE: Readonly<Record<number, Meaning>> = {
  20003: REJECTED,
  20429: { code: 'throttled' },
  21211: NO_SUCH_RECIPIENT,
  21212: NO_SUCH_SENDER,
  21408: NO_SUCH_RECIPIENT,
  21603: NO_SUCH_SENDER,
  21606: NO_SUCH_SENDER,
  21608: NO_SUCH_RECIPIENT,
  21610: NO_SUCH_RECIPIENT,
  21612: NO_SUCH_RECIPIENT,
  21614: NO_SUCH_RECIPIENT,
  21701: NO_SUCH_SENDER,
  21703: NO_SUCH_SENDER,
}

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  400: REFUSED,
  401: REJECTED,
  403: REJECTED,
  404: { code: 'target_not_found', detail: 'There is no such account.' },
  413: { code: 'payload_too_large' },
}

/** By Twilio's number of the error where it has one that says more than the status. */
export function meaningOfTwilio({ status, body }: HttpResponse): Meaning | undefined {
  const code = errorCode(body)
  // A failure on the other side is one, whatever number it carries.
  if (status >= 500) return undefined
  return (code === null ? undefined : BY_CODE[code]) ?? BY_STATUS[status]
}

/** `{"code": 21211, "message": …, "status": 400}` */
function errorCode(body: Buffer): number | null {
  try {
    const answer: unknown = JSON.parse(body.toString('utf8'))
    if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, 'code')) return null
    const { code } = answer as { code: unknown }
    return typeof code === 'number' ? code : null
  } catch {
    return null
  }
}
