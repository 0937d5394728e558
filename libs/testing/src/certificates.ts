import { generate } from 'selfsigned'

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface ServerOptions {
  readonly name?: string
  /** Less than 0: it has expired. One day unless given. */
  readonly daysLeft?: number
}

const DAY_MS = 24 * 3_600_000

/** An authority that nobody else trusts, made for one test file, and what it signs. */
export interface TestAuthority {
  readonly certificate: string
  /** For a server that is reached as `localhost` or `127.0.0.1`, unless a name is given. */
  server(options?: ServerOptions): Promise<KeyPair>
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
  const sign = async (
    usage: 'serverAuth' | 'clientAuth',
    { name = 'localhost', daysLeft = 1 }: ServerOptions,
  ): Promise<KeyPair> => {
    const signed = await generate([{ name: 'commonName', value: name }], {
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() - 10 * DAY_MS),
      notAfterDate: new Date(Date.now() + daysLeft * DAY_MS),
      ca: { key: own.private, cert: own.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
        { name: 'extKeyUsage', [usage]: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: name },
            ...(name === 'localhost' ? [{ type: 7, ip: '127.0.0.1' } as const] : []),
          ],
        },
      ],
    })
    return { certificate: signed.cert, key: signed.private }
  }
  return {
    certificate: own.cert,
    server: (options = {}) => sign('serverAuth', options),
    client: (name) => sign('clientAuth', { name }),
  }
}
