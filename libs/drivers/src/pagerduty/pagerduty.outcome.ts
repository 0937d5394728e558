import type { HttpResponse } from '../http/http-target.js'
import type { Meaning } from '../http/api-outcome.js'

const MEANINGS: Readonly<Record<number, Meaning>> = {
  // Also for keys of the right form that belong to no integration: only the answer's text tells them apart.
  400: {
    code: 'event_refused',
    detail: 'PagerDuty refused the alert or does not know the integration key; its answer names the reason.',
  },
  401: { code: 'credentials_rejected' },
  403: { code: 'credentials_rejected' },
  404: { code: 'target_not_found' },
  413: { code: 'payload_too_large' },
}

/** By status: https://developer.pagerduty.com/docs/events-api-v2-overview, "Response codes & retry logic". */
export const meaningOfPagerDuty = ({ status }: HttpResponse): Meaning | undefined => MEANINGS[status]
