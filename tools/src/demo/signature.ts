import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const SECRET_PREFIX = 'whsec_'
const VERSION = 'v1'
/** Older requests may be replays of a recorded one: Standard Webhooks, "Verifying webhook authenticity". */
const TOLERANCE_SECONDS = 5 * 60

/**
 * What a receiver does: https://github.com/standard-webhooks/standard-webhooks, "Verifying webhook authenticity".
 * `body` must be the bytes as they came. False also when a header is missing or the timestamp is too far away.
 */
export function isSignatureValid(secret: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const [id, timestamp, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    String(headers[name] ?? ''),
  )
  if (!id || !timestamp || !given) return false
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  return given.split(' ').some((signature) => {
    const [version, digest = ''] = signature.split(',')
    const bytes = Buffer.from(digest, 'base64')
    return version === VERSION && bytes.length === expected.length && timingSafeEqual(bytes, expected)
  })
}
