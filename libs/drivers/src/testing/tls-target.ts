import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { generate } from 'selfsigned'

/** An HTTPS server on loopback whose certificate is for the names and addresses given; made anew each time. */
export class TlsTarget {
  private constructor(
    private readonly server: HttpsServer,
    /** PEM of the authority that clients are to trust: the certificate itself. */
    readonly ca: string,
  ) {}

  static async start(
    subjects: readonly { readonly name?: string; readonly ip?: string }[],
  ): Promise<TlsTarget> {
    const altNames = subjects.map(({ name, ip }) =>
      ip === undefined ? { type: 2 as const, value: name ?? '' } : { type: 7 as const, ip },
    )
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'target' }], {
      extensions: [{ name: 'subjectAltName', altNames }],
    })
    const server = createHttpsServer({ key, cert }, (request, response) => {
      request.resume().on('end', () => response.end(`host ${request.headers.host ?? ''}`))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TlsTarget(server, cert)
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
