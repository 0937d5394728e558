import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { webhookId } from './webhook.signature.js'

/** What receivers see of us. */
const USER_AGENT = 'barnabas/0.1'
const PREFIX = 'x-barnabas-'

/** Visible Latin-1 and spaces inside; anything else could break a header or be read differently by proxies. */
const SAFE_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

/** The value itself when it is plain ASCII, else percent-encoded UTF-8. */
function safe(value: string): string {
  if (value === '' || (SAFE_VALUE.test(value) && !value.includes('%'))) return value
  return encodeURIComponent(value.toWellFormed()).replaceAll('%20', ' ').trim()
}

/**
 * Every header of a delivery but the signature. Metadata have a prefix of their own, so none of them can override
 * what the system sets; nor can their values hold a line end.
 */
export function webhookHeaders(
  { meta }: OutgoingEvent,
  attempt: AttemptInfo,
  timestampSeconds: number,
): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(meta.metadata)) {
    if (HEADER_NAME.test(name)) headers[`${PREFIX}meta-${name.toLowerCase()}`] = safe(value)
  }
  if (meta.source !== null) headers[`${PREFIX}ce-source`] = safe(meta.source)
  if (meta.sourceId !== null) headers[`${PREFIX}ce-id`] = safe(meta.sourceId)
  if (meta.traceparent !== null) headers['traceparent'] = safe(meta.traceparent)
  return {
    ...headers,
    'content-type': safe(meta.contentType),
    'user-agent': USER_AGENT,
    'webhook-id': webhookId(meta.id),
    'webhook-timestamp': String(timestampSeconds),
    [`${PREFIX}event-id`]: safe(meta.id),
    [`${PREFIX}topic`]: safe(meta.topic),
    [`${PREFIX}event-time`]: safe(meta.time),
    [`${PREFIX}delivery-id`]: attempt.deliveryId,
    [`${PREFIX}attempt`]: String(attempt.number),
  }
}
