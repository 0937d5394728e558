import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type ConnectionOptions, type SecureContext } from 'node:tls'
import type { Problem } from '@barnabas/domain'

export interface TlsFields {
  readonly ca_certificate?: string
  readonly client_certificate?: string
  readonly client_key?: string
}

/** SEC-19: nothing older is spoken, and certificates are always verified; there is no setting for less. */
const MIN_VERSION = 'TLSv1.2'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What is wrong with a text of one or several PEM certificates, or null. */
export function checkCertificates(pem: string): string | null {
  const found = pem.match(CERTIFICATE) ?? []
  const isWhole = found.length > 0 && pem.replaceAll(CERTIFICATE, '').trim() === ''
  return isWhole && found.every(isCertificate) ? null : 'must be one or more certificates in PEM form'
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}

/** What is wrong with a private key, or null. */
export function checkPrivateKey(pem: string): string | null {
  try {
    createPrivateKey(pem)
    return null
  } catch {
    return 'must be a private key in PEM form, without a passphrase'
  }
}

/** Mistakes that lie in certificate and key together. */
export function checkClientCertificate({ client_certificate: cert, client_key: key }: TlsFields): Problem[] {
  if (cert === undefined && key === undefined) return []
  if (cert === undefined)
    return [{ path: 'credentials.client_certificate', message: 'is required with client_key' }]
  if (key === undefined)
    return [{ path: 'credentials.client_key', message: 'is required with client_certificate' }]
  const message = mismatch(cert, key)
  return message === null ? [] : [{ path: 'credentials.client_key', message }]
}

function mismatch(cert: string, key: string): string | null {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    return 'is not the key of the first certificate in client_certificate'
  try {
    createSecureContext({ cert, key, minVersion: MIN_VERSION })
    return null
  } catch {
    return 'is too weak for TLS, or of a kind that it does not know'
  }
}

/**
 * Options of every TLS connection of a sender. The tenant's authority is trusted besides the public ones, for the
 * target and for its token server alike.
 */
export function tlsOptions(fields: TlsFields): ConnectionOptions {
  return { minVersion: MIN_VERSION, rejectUnauthorized: true, ...contextOf(fields) }
}

/** Made once: reading a hundred authorities for each connection would cost milliseconds. */
function contextOf(fields: TlsFields): { secureContext?: SecureContext } {
  const { ca_certificate: ca, client_certificate: cert, client_key: key } = fields
  if (ca === undefined && cert === undefined) return {}
  const secureContext = createSecureContext({
    minVersion: MIN_VERSION,
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  })
  return { secureContext }
}
