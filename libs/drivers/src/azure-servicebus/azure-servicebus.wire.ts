import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { WebSocketImpl } from '@azure/service-bus'
import type { createWebSocketStream, WebSocket } from 'ws'
import type { Address, Network } from '../network/network.js'

export interface WireOptions {
  readonly network: Network
  readonly address: Address
  /** Null = no TLS, as the emulator wants it. */
  readonly tls: ConnectionOptions | null
  /** Whether AMQP goes inside WebSockets, as Azure takes it at port 443; else it goes as it is. */
  readonly isWebSocket: boolean
}

/** What of the package is used; it is loaded with the first event. */
export interface WebSockets {
  readonly WebSocket: typeof WebSocket
  readonly createWebSocketStream: typeof createWebSocketStream
}

/** For TCP, TLS and the upgrade each; shorter than the library waits, so that the reason is known. */
const CONNECT_LIMIT_MS = 8_000
/** A frame of Service Bus has 64 KB; its largest messages have 100 MB, and none are received here. */
const MAX_PAYLOAD_BYTES = 1024 * 1024

/**
 * The connections of one sender, dialled by the network. The library dials by itself unless it is given a class of
 * WebSockets: it gets one whose instances are connections of ours, with WebSockets on the wire or without.
 */
export class Wires {
  private readonly streams = new Set<Duplex>()
  private current: Duplex | null = null
  private losing = new AbortController()

  constructor(
    private readonly options: WireOptions,
    private readonly webSockets: WebSockets,
  ) {}

  /** Aborts when the connection in use, else the next one, is lost or cannot be made; the reason is its error. */
  get lost(): AbortSignal {
    return this.losing.signal
  }

  /** For `webSocketOptions` of the library. */
  asWebSocket(): WebSocketImpl {
    const open = (url: string, protocols: string[]): Wire => this.open(url, protocols)
    // Called with `new`, as arrows cannot be; the library gets what it returns.
    return function (url: string, protocols: string[]): Wire {
      return open(url, protocols)
    } as unknown as WebSocketImpl
  }

  /** Ends connections that did not end by themselves. */
  destroy(): void {
    for (const stream of this.streams) stream.destroy()
  }

  private open(url: string, protocols: string[]): Wire {
    const { stream, opener, event } = this.options.isWebSocket
      ? this.overWebSocket(url, protocols)
      : this.bare()
    this.current = stream
    this.streams.add(stream)
    stream.once('error', (error) => this.ended(stream, error))
    // Streams of WebSockets emit no close.
    for (const event of ['end', 'close']) stream.once(event, () => this.ended(stream, reset()))
    const wire = new Wire(url, stream)
    opener.once(event, () => wire.onopen?.())
    return wire
  }

  /** Those that end late, after the library made another one, take nothing with them. */
  private ended(stream: Duplex, error: Error): void {
    this.streams.delete(stream)
    if (stream !== this.current) return
    this.current = null
    const { losing } = this
    this.losing = new AbortController()
    losing.abort(error)
  }

  private overWebSocket(url: string, protocols: string[]): Opening {
    const { WebSocket, createWebSocketStream } = this.webSockets
    const opener = new WebSocket(url, protocols, {
      createConnection: () => this.connect({ ALPNProtocols: ['http/1.1'] }),
      handshakeTimeout: CONNECT_LIMIT_MS,
      maxPayload: MAX_PAYLOAD_BYTES,
      perMessageDeflate: false,
    })
    return { stream: createWebSocketStream(opener), opener, event: 'open' }
  }

  private bare(): Opening {
    const stream = this.connect().setNoDelay(true)
    return { stream, opener: stream, event: this.options.tls ? 'secureConnect' : 'connect' }
  }

  private connect(more: ConnectionOptions = {}) {
    const { network, address, tls } = this.options
    const secured = tls ? { tls: { ...tls, ...more } } : { isPlainHttp: true }
    return network.connect({ ...address, ...secured, timeoutMs: CONNECT_LIMIT_MS })
  }
}

const reset = (): Error => Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })

interface Opening {
  readonly stream: Duplex
  /** Emits `event` when the connection stands. */
  readonly opener: Pick<NodeJS.EventEmitter, 'once'>
  readonly event: string
}

/** As much of a WebSocket as the library uses: https://github.com/amqp/rhea/blob/main/lib/ws.js. */
class Wire {
  onopen: (() => void) | null = null
  onmessage: ((message: { readonly data: Buffer }) => void) | null = null
  onerror: ((error: Error) => void) | null = null
  onclose: (() => void) | null = null

  constructor(
    readonly url: string,
    private readonly stream: Duplex,
  ) {
    stream.on('data', (data: Buffer) => this.onmessage?.({ data }))
    stream.on('error', (error) => this.onerror?.(error))
    stream.once('end', () => this.ended())
    stream.once('close', () => this.ended())
  }

  send(data: Buffer): void {
    this.stream.write(data)
  }

  close(): void {
    this.stream.end()
  }

  private ended(): void {
    this.onclose?.()
    this.onclose = null
  }
}
