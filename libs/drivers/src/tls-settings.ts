import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import type { Problem } from '@barnabas/domain'
import { document } from './fields.js'

/** Settings of TLS that destinations of several types share: an authority of one's own, and a client certificate. */
export interface TlsSettings {
  readonly config: { readonly ca_certificate?: string }
  readonly credentials: { readonly client_certificate?: string; readonly client_key?: string }
}

const checkCertificate = (value: string): string | null =>
  succeeds(() => new X509Certificate(value)) ? null : 'must be a certificate in PEM form'

const checkKey = (value: string): string | null =>
  succeeds(() => createPrivateKey(value)) ? null : 'must be a private key in PEM form, without a passphrase'

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
      'PEM text of the authority that signed the certificate of the target. Leave it empty for public authorities.',
    sensitive: false,
    required: false,
    check: checkCertificate,
  }),
}

export const clientCertificateFields = {
  client_certificate: document({
    label: 'Client certificate',
    description: 'PEM text of the certificate that is shown to the target, where it asks for one.',
    sensitive: false,
    required: false,
    check: checkCertificate,
  }),
  client_key: document({
    label: 'Client key',
    description: 'PEM text of the private key of the client certificate, without a passphrase.',
    sensitive: true,
    required: false,
    check: checkKey,
  }),
}

/** Certificate and key belong together. */
export function checkTlsSettings({ credentials }: TlsSettings): Problem[] {
  const { client_certificate: certificate, client_key: key } = credentials
  if (certificate === undefined && key === undefined) return []
  if (key === undefined)
    return [{ path: 'credentials.client_key', message: 'is required with a certificate' }]
  if (certificate === undefined)
    return [{ path: 'credentials.client_certificate', message: 'is required with a key' }]
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
    ? []
    : [{ path: 'credentials.client_key', message: 'is not the key of the certificate' }]
}

/** For Node's `tls.connect`. The certificate of the target is verified always. */
export function tlsOptions({ config, credentials }: TlsSettings): ConnectionOptions {
  const { client_certificate: cert, client_key: key } = credentials
  return {
    ...(config.ca_certificate === undefined ? {} : { ca: config.ca_certificate }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  }
}
