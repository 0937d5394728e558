import { generate } from 'selfsigned'

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** An authority that nobody else trusts, made for one test file, and what it signs. */
export interface TestAuthority {
  readonly certificate: string
  /** For a server that is reached as `localhost` or `127.0.0.1`. */
  server(): Promise<KeyPair>
  /** For a client by that name. */
  client(name: string): Promise<KeyPair>
}

export async function newTestAuthority(): Promise<TestAuthority> {
  const own = await generate([{ name: 'commonName', value: 'Test authority' }], {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const sign = async (name: string, usage: 'serverAuth' | 'clientAuth'): Promise<KeyPair> => {
    const signed = await generate([{ name: 'commonName', value: name }], {
      algorithm: 'sha256',
      ca: { key: own.private, cert: own.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
        { name: 'extKeyUsage', [usage]: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    })
    return { certificate: signed.cert, key: signed.private }
  }
  return {
    certificate: own.cert,
    server: () => sign('localhost', 'serverAuth'),
    client: (name) => sign(name, 'clientAuth'),
  }
}
