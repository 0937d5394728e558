import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type ConnectionOptions, type SecureContext } from 'node:tls'
import type { Problem } from '@barnabas/domain'
import { checkbox, document } from './fields.js'

/** What of validated settings says how to speak TLS; without `tls` it is always spoken. */
export interface TlsSettings {
  readonly config: { readonly tls?: 'true' | 'false'; readonly ca_certificate?: string }
  readonly credentials: { readonly client_certificate?: string; readonly client_key?: string }
}

/** Nothing older is spoken, and certificates are always verified: there is no setting for less. */
const MIN_VERSION = 'TLSv1.2'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What is wrong with a text of one or several PEM certificates, or null. */
export function checkCertificates(pem: string): string | null {
  const found = pem.match(CERTIFICATE) ?? []
  const isWhole = found.length > 0 && pem.replaceAll(CERTIFICATE, '').trim() === ''
  return isWhole && found.every(isCertificate) ? null : 'must be one or more certificates in PEM form'
}

const isCertificate = (pem: string): boolean => succeeds(() => new X509Certificate(pem))

/** What is wrong with a private key, or null. */
export const checkPrivateKey = (pem: string): string | null =>
  succeeds(() => createPrivateKey(pem)) ? null : 'must be a private key in PEM form, without a passphrase'

function succeeds(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}

export const authorityField = {
  ca_certificate: document({
    label: 'CA certificate',
    description:
      'Only if no public authority issued the certificate of the target: the authority that did, in PEM form.',
    sensitive: false,
    required: false,
    check: checkCertificates,
  }),
}

export const clientCertificateFields = {
  client_certificate: document({
    label: 'Client certificate',
    description: 'Only if the target asks for one: the certificate that is shown to it, in PEM form.',
    sensitive: false,
    required: false,
    check: checkCertificates,
  }),
  client_key: document({
    label: 'Client key',
    description: 'The private key of the client certificate, in PEM form, without a passphrase.',
    sensitive: true,
    required: false,
    check: checkPrivateKey,
  }),
}

/** Fields of a target that may be reached with TLS or without, in `config` and in `credentials`. */
export const tlsFields = (defaults: { readonly tls: boolean }) => ({
  config: {
    tls: checkbox({
      label: 'TLS',
      description: 'Whether the connection is encrypted. The certificate of the target is verified then.',
      default: defaults.tls,
    }),
    ...authorityField,
  },
  credentials: clientCertificateFields,
})

/** Mistakes that lie in several of the fields at once. */
export function checkTlsSettings({ config, credentials }: TlsSettings): Problem[] {
  const { client_certificate: certificate, client_key: key } = credentials
  if (certificate === undefined && key === undefined) return []
  if (config.tls === 'false')
    return [{ path: 'config.tls', message: 'must be "true" when credentials.client_certificate is given' }]
  if (certificate === undefined)
    return [{ path: 'credentials.client_certificate', message: 'is required with credentials.client_key' }]
  if (key === undefined)
    return [{ path: 'credentials.client_key', message: 'is required with credentials.client_certificate' }]
  const message = mismatch(certificate, key)
  return message === null ? [] : [{ path: 'credentials.client_key', message }]
}

function mismatch(cert: string, key: string): string | null {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    return 'is not the key of the first certificate in credentials.client_certificate'
  return succeeds(() => createSecureContext({ cert, key, minVersion: MIN_VERSION }))
    ? null
    : 'is too weak for TLS, or of a kind that it does not know'
}

/**
 * For Node's `tls.connect`; null when TLS is not wanted. To be made once for a sender: the tenant's authority is
 * trusted besides the public ones, and reading a hundred of them for each connection would cost milliseconds.
 */
export function tlsOptions({ config, credentials }: TlsSettings): ConnectionOptions | null {
  if (config.tls === 'false') return null
  return { minVersion: MIN_VERSION, rejectUnauthorized: true, ...contextOf(config, credentials) }
}

function contextOf(
  { ca_certificate: ca }: TlsSettings['config'],
  { client_certificate: cert, client_key: key }: TlsSettings['credentials'],
): { secureContext?: SecureContext } {
  if (ca === undefined && cert === undefined) return {}
  const secureContext = createSecureContext({
    minVersion: MIN_VERSION,
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  })
  return { secureContext }
}
