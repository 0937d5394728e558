import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/**
 * Stands for a connection that is only being made, for clients that want their socket at once: what is written waits
 * until it stands. Emits `connect`, `error` and `close` as a socket does, and knows what clients ask of sockets.
 */
export class LaterSocket extends Duplex {
  connecting = true
  private readonly given = new AbortController()
  private socket: Socket | null = null
  private timeoutMs = 0

  /** `open` rejects when its signal aborts. */
  constructor(private readonly open: (signal: AbortSignal) => Promise<Socket>) {
    super({ allowHalfOpen: true })
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.open(this.given.signal).then(
      (socket) => {
        this.attach(socket)
        callback()
        this.emit('connect')
        this.emit('ready')
      },
      // Whoever destroyed it has said why.
      (error: unknown) => callback(this.given.signal.aborted ? null : (error as Error)),
    )
  }

  private attach(socket: Socket): void {
    this.socket = socket
    this.connecting = false
    socket.setTimeout(this.timeoutMs)
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('timeout', () => this.emit('timeout'))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  override _read(): void {
    this.socket?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.socket?.write(chunk, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.socket?.end(() => callback())
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.connecting = false
    this.socket?.destroy()
    callback(error)
  }

  /** Streams destroy nothing that is not constructed: the connection that is being made must end first. */
  override destroy(error?: Error): this {
    this.given.abort(error)
    return super.destroy(error)
  }

  get remoteAddress(): string | undefined {
    return this.socket?.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.socket?.remotePort
  }

  setTimeout(timeoutMs: number, callback?: () => void): this {
    if (callback) this.once('timeout', callback)
    this.timeoutMs = timeoutMs
    this.socket?.setTimeout(timeoutMs)
    return this
  }

  /** The connection is one of this process with the proxy; what clients wish of it makes no difference. */
  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    this.socket?.ref()
    return this
  }

  unref(): this {
    this.socket?.unref()
    return this
  }
}
