import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { isHeaderName, safeValue as safe } from '../http/header-values.js'
import { webhookId } from './webhook.signature.js'

/** What receivers see of us. */
const USER_AGENT = 'barnabas/0.1'
const PREFIX = 'x-barnabas-'

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
    if (isHeaderName(name)) headers[`${PREFIX}meta-${name.toLowerCase()}`] = safe(value)
  }
  if (meta.source !== null) headers[`${PREFIX}ce-source`] = safe(meta.source)
  if (meta.sourceId !== null) headers[`${PREFIX}ce-id`] = safe(meta.sourceId)
  if (meta.traceparent !== null) headers['traceparent'] = safe(meta.traceparent)
  headers['content-type'] = safe(meta.contentType)
  headers['user-agent'] = USER_AGENT
  headers['webhook-id'] = webhookId(meta.id)
  headers['webhook-timestamp'] = String(timestampSeconds)
  headers[`${PREFIX}event-id`] = safe(meta.id)
  headers[`${PREFIX}topic`] = safe(meta.topic)
  headers[`${PREFIX}event-time`] = safe(meta.time)
  headers[`${PREFIX}delivery-id`] = attempt.deliveryId
  headers[`${PREFIX}attempt`] = String(attempt.number)
  return headers
}
