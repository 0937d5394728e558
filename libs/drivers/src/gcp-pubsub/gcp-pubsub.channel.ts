import type { ChannelInterface, InterceptingListener, Metadata } from '@grpc/grpc-js'
import type { AuthClient } from 'google-auth-library'
import { Http2Connection, originOf, type Http2Options } from './gcp-pubsub.connection.js'
import { exchange, type Answer } from './gcp-pubsub.exchange.js'
import { GRPC } from './gcp-pubsub.outcome.js'

type Call = ReturnType<ChannelInterface['createCall']>
type Deadline = Parameters<ChannelInterface['createCall']>[1]

export interface ChannelOptions extends Http2Options {
  /** Whose tokens go along; null = none, for an emulator. */
  readonly authClient: AuthClient | null
  readonly newMetadata: () => Metadata
}

/** Of gRPC's connectivity states, the one in which a client may call: a call connects by itself. */
const READY = 2

/**
 * What gRPC's client takes in place of its own channel, which dials by itself: the calls go over a connection of the
 * network. Calls with one message each way only, which is all that publishing needs. A call that fails with the
 * connection has the status UNAVAILABLE and the error of the network as its `cause`; the next one connects anew, at
 * once.
 */
export class NetworkChannel implements ChannelInterface {
  private readonly connection: Http2Connection
  private readonly origin: string

  constructor(private readonly options: ChannelOptions) {
    this.connection = new Http2Connection(options)
    this.origin = originOf(options)
  }

  /** Ends calls that are still under way. */
  close(): void {
    this.connection.close()
  }

  createCall(method: string, deadline: Deadline): Call {
    return new UnaryCall(this, method, Number(deadline), this.options.newMetadata)
  }

  getTarget(): string {
    return this.origin
  }

  getConnectivityState(): typeof READY {
    return READY
  }

  watchConnectivityState(_state: unknown, _deadline: unknown, callback: (error?: Error) => void): void {
    callback(new Error('the state of this channel does not change'))
  }

  getChannelzRef(): never {
    throw new Error('this channel has no channelz')
  }

  /** Rejects with the error of the connection. */
  async call(
    method: string,
    metadata: Metadata | null,
    message: Buffer,
    signal: AbortSignal,
  ): Promise<Answer> {
    const token = await this.token(method)
    if (token === null) return NO_TOKEN
    const session = await this.connection.current()
    const headers = {
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'barnabas/0.1',
      ...metadata?.toHttp2Headers(),
      ...token,
    }
    try {
      return await exchange(session, { headers, message }, signal)
    } catch (error) {
      if (signal.aborted) this.connection.retire(session)
      throw error
    }
  }

  /** Null when there is none: the client makes them itself, or has asked for one before. */
  private async token(method: string): Promise<Record<string, string> | null> {
    const { authClient, address } = this.options
    if (!authClient) return {}
    const [, service = ''] = method.split('/')
    // https://google.aip.dev/auth/4111: for whom a token is that an account signs itself.
    const audience = `https://${address.host}/${service}`
    const headers = await authClient.getRequestHeaders(audience).catch(() => null)
    return headers && Object.fromEntries(headers)
  }
}

const NO_TOKEN: Answer = { status: GRPC.UNAUTHENTICATED, details: 'no token', message: Buffer.alloc(0) }

class UnaryCall implements Call {
  private readonly given = new AbortController()
  private metadata: Metadata | null = null
  private listener: InterceptingListener | null = null
  private message: Buffer = Buffer.alloc(0)

  constructor(
    private readonly channel: NetworkChannel,
    private readonly method: string,
    private readonly deadlineAtMs: number,
    private readonly newMetadata: () => Metadata,
  ) {}

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.metadata = metadata
    this.listener = listener
  }

  sendMessageWithContext({ callback }: { callback?: () => void }, message: Buffer): void {
    this.message = message
    callback?.()
  }

  halfClose(): void {
    void this.run()
  }

  cancelWithStatus(code: number, details: string): void {
    this.given.abort()
    this.end(code, details)
  }

  startRead(): void {
    // The one message is given when it comes.
  }

  setCredentials(): void {
    // The channel has them.
  }

  getPeer(): string {
    return this.channel.getTarget()
  }

  getCallNumber(): number {
    return 0
  }

  getAuthContext(): null {
    return null
  }

  private async run(): Promise<void> {
    const tooLate = (): void => this.cancelWithStatus(GRPC.DEADLINE_EXCEEDED, 'no answer in time')
    const timer = Number.isFinite(this.deadlineAtMs)
      ? setTimeout(tooLate, Math.max(this.deadlineAtMs - Date.now(), 0))
      : undefined
    try {
      const { status, details, message } = await this.channel.call(
        this.method,
        this.metadata,
        this.message,
        this.given.signal,
      )
      if (status === GRPC.OK) this.listener?.onReceiveMessage(message)
      this.end(status, details)
    } catch (cause) {
      this.end(GRPC.UNAVAILABLE, 'the connection failed', cause)
    } finally {
      clearTimeout(timer)
    }
  }

  /** `cause` is found on the error that the client makes of the status. */
  private end(code: number, details: string, cause?: unknown): void {
    const status = { code, details, metadata: this.newMetadata(), ...(cause === undefined ? {} : { cause }) }
    this.listener?.onReceiveStatus(status)
    this.listener = null
  }
}
