import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly atMs: number
  /** The sender's port: one per connection. */
  readonly remotePort: number
}

/** How the receiver treats a request. */
export type Answer =
  | {
      readonly kind?: 'answer'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: string | Buffer
      readonly delayMs?: number
    }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** Closes the connection without an answer. */
  | { readonly kind: 'reset' }
  /** Answers 200 and closes the connection in the middle of the body. */
  | { readonly kind: 'break-off' }
  /** Answers 200 with a body that never ends. */
  | { readonly kind: 'endless' }
  /** Answers with something that is not HTTP. */
  | { readonly kind: 'garbage' }

export type Script = (request: Received, count: number) => Answer

const OK: Answer = { status: 200, body: 'ok' }
const ENDLESS_CHUNK = Buffer.alloc(64 * 1024, 'x')

/** A webhook receiver on loopback that keeps what it gets and answers by a script. */
export class Receiver {
  readonly received: Received[] = []
  private script: Script = () => OK

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.take(request, response))
  }

  static async start(script?: Script, port = 0): Promise<Receiver> {
    const server = createServer()
    const receiver = new Receiver(server)
    if (script) receiver.script = script
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return receiver
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`
  }

  /** From now on requests are answered by this script; `count` begins at 1 with the first request of all. */
  answerBy(script: Script): void {
    this.script = script
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const received: Received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(chunks),
      atMs: Date.now(),
      remotePort: request.socket.remotePort ?? 0,
    }
    this.received.push(received)
    give(this.script(received, this.received.length), response)
  }
}

/** On a free port unless one is given. */
export const startReceiver = (script?: Script, port?: number): Promise<Receiver> =>
  Receiver.start(script, port)

function give(answer: Answer, response: ServerResponse): void {
  switch (answer.kind) {
    case 'hang':
      return
    case 'reset':
      response.socket?.resetAndDestroy()
      return
    case 'break-off':
      response.writeHead(200, { 'content-length': '1000' })
      response.write('half')
      setTimeout(() => response.socket?.destroy(), BREAK_OFF_AFTER_MS)
      return
    case 'endless':
      pour(response)
      return
    case 'garbage':
      response.socket?.end('this is not HTTP\r\n\r\n')
      return
    case 'answer':
    case undefined:
      setTimeout(
        () => response.writeHead(answer.status, answer.headers).end(answer.body),
        answer.delayMs ?? 0,
      )
  }
}

/** Long enough for the head of the answer to arrive. */
const BREAK_OFF_AFTER_MS = 50

function pour(response: ServerResponse): void {
  response.writeHead(200)
  const more = (): void => {
    while (!response.destroyed && response.write(ENDLESS_CHUNK));
  }
  response.on('drain', more)
  response.on('error', () => undefined)
  more()
}
