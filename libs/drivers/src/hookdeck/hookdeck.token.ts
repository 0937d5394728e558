import { createHmac } from 'node:crypto'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const SOURCE_ID = /^[A-Za-z0-9_-]{1,100}$/

/** The id of the source that a token belongs to; null when the text is no token: base64 of `<source id>:<secret>`. */
export function sourceIdOf(token: string): string | null {
  if (!BASE64.test(token)) return null
  const [id = '', ...secret] = Buffer.from(token, 'base64').toString('utf8').split(':')
  return SOURCE_ID.test(id) && secret.join(':') !== '' ? id : null
}

/** What is wrong with a token, or null. */
export const checkToken = (token: string): string | null =>
  sourceIdOf(token) === null ? 'must be the token that Hookdeck shows for a managed source' : null

/** The value of `X-Hookdeck-Signature`; the key is the token as it was given, not what it decodes to. */
export const signatureOf = (token: string, body: Buffer): string =>
  `v0=${createHmac('sha256', token).update(body).digest('base64')}`
