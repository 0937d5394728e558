import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

/** A CONNECT as it came. */
export interface TunnelRequest {
  readonly authority: string
  readonly authorization: string | undefined
}

/**
 * What is done with a tunnel: opened to a port of loopback, whatever was asked for, or answered with a status.
 * `greets`: the target speaks first, and what it says goes out in one piece with the answer.
 */
export type TunnelScript = (
  request: TunnelRequest,
) =>
  | { readonly port: number; readonly greets?: boolean }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'silence'
  | 'garbage'
  | 'close'

/** A forward proxy on loopback that opens tunnels by a script. */
export class ConnectProxy {
  readonly asked: TunnelRequest[] = []
  private readonly sockets = new Set<Duplex>()

  private constructor(
    private readonly server: Server,
    private readonly script: TunnelScript,
  ) {
    server.on('connect', (request: IncomingMessage, socket: Duplex) => this.open(request, socket))
    server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  static async start(script: TunnelScript): Promise<ConnectProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new ConnectProxy(server, script)
  }

  /** `login`: `user:password`. */
  url(login?: string): string {
    const { port } = this.server.address() as AddressInfo
    return `http://${login === undefined ? '' : `${login}@`}127.0.0.1:${port}`
  }

  get connections(): number {
    return this.sockets.size
  }

  /** As a proxy does that restarts, or that lets no tunnel live long. */
  endTunnels(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.endTunnels()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private open({ url = '', headers }: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => undefined)
    const asked = { authority: url, authorization: headers['proxy-authorization'] }
    this.asked.push(asked)
    const answer = this.script(asked)
    // What nobody reads is never seen to end.
    if (typeof answer === 'string' || 'status' in answer) socket.resume().on('end', () => socket.end())
    if (answer === 'silence') return
    if (answer === 'close') return void socket.destroy()
    if (answer === 'garbage') return void socket.end('220 no proxy here\r\n\r\n')
    if ('status' in answer) {
      const lines = Object.entries(answer.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
      return void socket.end(`HTTP/1.1 ${answer.status} Said\r\n${lines.join('')}content-length: 0\r\n\r\n`)
    }
    tunnel(socket, answer)
  }
}

const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n')

function tunnel(
  client: Duplex,
  { port, greets = false }: { readonly port: number; readonly greets?: boolean },
): void {
  const upstream = connect({ port, host: '127.0.0.1' })
  const join = (greeting: Buffer): void => {
    client.write(Buffer.concat([ESTABLISHED, greeting]))
    upstream.pipe(client)
    client.pipe(upstream)
  }
  upstream.on('error', () => client.destroy())
  client.on('close', () => upstream.destroy())
  if (greets) upstream.once('data', join)
  else upstream.on('connect', () => join(Buffer.alloc(0)))
}
