import { beforeAll, describe, expect, it } from '@jest/globals'
import { newTestAuthority, type KeyPair } from '@barnabas/testing'
import { authorityField, checkTlsSettings, clientCertificateFields, tlsOptions } from './tls-settings.js'

describe('the settings of TLS', () => {
  const pairs: KeyPair[] = []
  beforeAll(async () => {
    const authority = await newTestAuthority()
    pairs.push(await authority.client('a'), await authority.client('b'))
  })

  const pathsOf = (certificate?: string, key?: string): (string | undefined)[] =>
    checkTlsSettings({
      config: {},
      credentials: {
        ...(certificate === undefined ? {} : { client_certificate: certificate }),
        ...(key === undefined ? {} : { client_key: key }),
      },
    }).map(({ path }) => path)

  it('want certificate and key together, and that they belong together', () => {
    const [a, b] = pairs
    expect(pathsOf()).toEqual([])
    expect(pathsOf(a?.certificate, a?.key)).toEqual([])
    expect(pathsOf(a?.certificate)).toEqual(['credentials.client_key'])
    expect(pathsOf(undefined, a?.key)).toEqual(['credentials.client_certificate'])
    expect(pathsOf(a?.certificate, b?.key)).toEqual(['credentials.client_key'])
  })

  it('are PEM texts', () => {
    expect(authorityField.ca_certificate.check('-----BEGIN CERTIFICATE-----')).toContain('PEM')
    expect(clientCertificateFields.client_key.check(pairs[0]?.certificate ?? '')).toContain('PEM')
    expect(clientCertificateFields.client_key.check(pairs[0]?.key ?? '')).toBeNull()
  })

  it('never turn verification off', () => {
    expect(tlsOptions({ config: {}, credentials: {} })).toEqual({
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
    })
  })

  it('leave it out where it is not wanted, and then want no certificate of a client', () => {
    const [a] = pairs
    expect(tlsOptions({ config: { tls: 'false' }, credentials: {} })).toBeNull()
    const credentials = { client_certificate: a?.certificate ?? '', client_key: a?.key ?? '' }
    const problems = checkTlsSettings({ config: { tls: 'false' }, credentials })
    expect(problems.map(({ path }) => path)).toEqual(['config.tls'])
  })
})
