import type { HttpResponse } from '../http/http-target.js'
import type { Meaning } from '../http/api-outcome.js'

const BAD_REQUEST: Meaning = {
  code: 'event_refused',
  detail: 'Slack refused the message; its answer names the reason.',
}
const FORBIDDEN: Meaning = {
  code: 'credentials_rejected',
  detail: 'Slack refused the webhook URL, or the workspace does not let this webhook post.',
}
const NOT_FOUND: Meaning = {
  code: 'target_not_found',
  detail: 'The channel, the workspace or the webhook does not exist any more.',
}
const ARCHIVED: Meaning = { code: 'target_not_found', detail: 'The channel is archived.' }

const MEANINGS: Readonly<Record<number, Meaning>> = {
  400: BAD_REQUEST,
  401: FORBIDDEN,
  403: FORBIDDEN,
  404: NOT_FOUND,
  410: ARCHIVED,
  413: { code: 'payload_too_large' },
}

/**
 * By status alone. The words in the answers (`invalid_token`, `channel_is_archived`, …) only divide what a status says
 * already: https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
 */
export const meaningOfSlack = ({ status }: HttpResponse): Meaning | undefined => MEANINGS[status]
