import { verify } from 'node:crypto'
import {
  connect,
  createSecureServer,
  type ClientHttp2Session,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { KeyPair } from '@barnabas/testing'

const UNAUTHENTICATED = '16'

/**
 * What stands before Pub/Sub at Google and not before its emulator: TLS, and whoever has no token that one of the
 * service account's keys signed (https://google.aip.dev/auth/4111) is refused. Passes all else on.
 */
export class GoogleDoor {
  private readonly sessions = new Set<ServerHttp2Session>()

  private constructor(
    private readonly server: Http2SecureServer,
    private readonly upstream: ClientHttp2Session,
    private readonly publicKeys: ReadonlySet<string>,
  ) {
    server.on('session', (session: ServerHttp2Session) => {
      this.sessions.add(session)
      session.once('close', () => this.sessions.delete(session))
    })
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.take(stream, headers),
    )
  }

  /** `publicKeys`: PEM of those whose tokens are taken; looked at with each request. */
  static async start(
    pair: KeyPair,
    emulatorPort: number,
    publicKeys: ReadonlySet<string>,
  ): Promise<GoogleDoor> {
    const server = createSecureServer({ key: pair.key, cert: pair.certificate })
    const door = new GoogleDoor(server, connect(`http://127.0.0.1:${emulatorPort}`), publicKeys)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return door
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.upstream.destroy()
    for (const session of this.sessions) session.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined)
    const [, token = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
    if (!this.isSigned(token)) {
      const refused = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': UNAUTHENTICATED }
      stream.respond(refused, { endStream: true })
      return
    }
    const passed = this.upstream.request({ ...headers, ':scheme': 'http' })
    passed.on('error', () => stream.destroy())
    passed.once('response', (answer) => {
      stream.respond(answer, { waitForTrailers: true })
      passed.pipe(stream)
    })
    let trailers: IncomingHttpHeaders = {}
    passed.once('trailers', (given: IncomingHttpHeaders) => (trailers = given))
    stream.once('wantTrailers', () => stream.sendTrailers(trailers))
    stream.pipe(passed)
  }

  private isSigned(token: string): boolean {
    const [head = '', claims = '', signature = ''] = token.split('.')
    const signed = Buffer.from(`${head}.${claims}`)
    return [...this.publicKeys].some((key) =>
      verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url')),
    )
  }
}
