import { createPrivateKey } from 'node:crypto'

/** What of a key file is used. */
export interface ServiceAccountKey {
  readonly email: string
  /** PEM. */
  readonly key: string
  readonly keyId?: string
}

const GOOGLE: Readonly<Record<string, readonly string[]>> = {
  universe_domain: ['googleapis.com'],
  auth_uri: ['https://accounts.google.com/o/oauth2/auth'],
  token_uri: ['https://oauth2.googleapis.com/token', 'https://accounts.google.com/o/oauth2/token'],
  auth_provider_x509_cert_url: ['https://www.googleapis.com/oauth2/v1/certs'],
}
const EMAIL = /^[^\s@]{1,200}@[a-z0-9.-]{1,200}$/

/**
 * What is wrong with the text of a key file, or null. Only keys of service accounts: other kinds of credentials name
 * URLs, files or programs that would be asked for a token. The addresses in it must be Google's own.
 */
export function checkKey(text: string): string | null {
  const key = parse(text)
  if (key === null) return 'must be the JSON of a key file'
  if (key['type'] !== 'service_account')
    return 'must be the key of a service account (its type says otherwise)'
  if (typeof key['client_email'] !== 'string' || !EMAIL.test(key['client_email']))
    return 'must have the client_email of the service account'
  if (key['private_key_id'] !== undefined && typeof key['private_key_id'] !== 'string')
    return 'must have a text as private_key_id'
  for (const [name, allowed] of Object.entries(GOOGLE)) {
    const value = Object.hasOwn(key, name) ? key[name] : undefined
    if (value !== undefined && !allowed.some((one) => one === value))
      return `must not name another ${name} than Google's own`
  }
  return isRsaKey(key['private_key']) ? null : 'must have the private_key of the service account, in PEM'
}

/** The key in a text that `checkKey` had nothing against. Nothing else of the file is used. */
export function readKey(text: string): ServiceAccountKey {
  const { client_email, private_key, private_key_id } = parse(text) as Record<string, string>
  return {
    email: client_email ?? '',
    key: private_key ?? '',
    ...(private_key_id === undefined ? {} : { keyId: private_key_id }),
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function isRsaKey(pem: unknown): boolean {
  try {
    return typeof pem === 'string' && createPrivateKey(pem).asymmetricKeyType === 'rsa'
  } catch {
    return false
  }
}
