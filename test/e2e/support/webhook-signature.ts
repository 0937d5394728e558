import { Webhook } from 'standardwebhooks'
import type { Arrival } from './inbox.js'

/** Whether the Standard Webhooks library takes the request as genuine. */
export function hasValidSignature(secret: string, { headers, body }: Arrival): boolean {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature']
  const signed = Object.fromEntries(names.map((name) => [name, String(headers[name])]))
  try {
    new Webhook(secret).verify(body, signed, { jsonParse: false })
    return true
  } catch {
    return false
  }
}
