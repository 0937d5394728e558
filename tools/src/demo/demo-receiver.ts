import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it came. */
export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly atMs: number
  /** The status that it was answered with. */
  readonly status: number
}

/** A webhook receiver on loopback that shows what arrives, and fails when told to. */
export class DemoReceiver {
  private readonly server: Server
  private failures = 0

  private constructor(onReceived: (received: Received) => void) {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const status = this.failures > 0 ? 503 : 200
        if (this.failures > 0) this.failures--
        response.writeHead(status).end()
        onReceived({ headers: request.headers, body: Buffer.concat(chunks), atMs: Date.now(), status })
      })
    })
  }

  static async start(onReceived: (received: Received) => void): Promise<DemoReceiver> {
    const receiver = new DemoReceiver(onReceived)
    await new Promise<void>((resolve, reject) => {
      receiver.server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhooks`
  }

  /** The next request is answered with 503. */
  failOnce(): void {
    this.failures = 1
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
