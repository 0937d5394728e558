import { generate } from 'selfsigned'

export interface Pair {
  readonly cert: string
  readonly key: string
}

const DAY_MS = 24 * 3_600_000

/** An authority of one test. */
export async function anAuthority(): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: 'test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** A certificate of an authority: for this machine unless a name is given. `daysLeft` < 0: it has expired. */
export async function aCertificate(
  authority: Pair,
  { name, daysLeft = 1 }: { readonly name?: string; readonly daysLeft?: number } = {},
): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: name ?? 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 10 * DAY_MS),
    notAfterDate: new Date(Date.now() + daysLeft * DAY_MS),
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames:
          name === undefined
            ? [
                { type: 2, value: 'localhost' },
                { type: 7, ip: '127.0.0.1' },
              ]
            : [{ type: 2, value: name }],
      },
    ],
  })
  return { cert: made.cert, key: made.private }
}
