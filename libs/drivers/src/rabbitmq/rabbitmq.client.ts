import { createRequire } from 'node:module'
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { dirname, join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { ConfirmChannel } from 'amqplib'
import { lazy } from '../lazy.js'
import type { Address, Network } from '../network/network.js'

/** What a connection is made from. */
export interface ConnectRequest extends Address {
  readonly vhost: string
  readonly username: string
  readonly password: string
  /** Undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined
  /** The broker may ask for a shorter one. A connection that is silent for two of them is dead. */
  readonly heartbeatSeconds: number
}

/** An open connection. Emits `close` once when it has ended, `blocked` and `unblocked` as the broker says. */
export interface RabbitMqConnection {
  readonly events: EventEmitter
  /** Frames that wait to be written before `publish` answers false. */
  openChannel(highWaterMarkFrames: number): Promise<ConfirmChannel>
  /** Bytes that one frame may have, as agreed on with the broker. */
  readonly maxFrameBytes: number
  /** Ends it with the protocol's handshake; waits for that at most `limitMs`, then cuts it. */
  close(limitMs: number): Promise<void>
}

/** The broker ended the connection with a reply code (AMQP 0-9-1 §1.2). */
export class ReplyError extends Error {
  constructor(readonly replyCode: number) {
    super(`the broker answered ${replyCode}`)
  }
}

/** Milliseconds until the connection must stand and the broker have let us in. */
const OPEN_TIMEOUT_MS = 10_000
/** RabbitMQ's own default; larger frames hold up heartbeats. */
const MAX_FRAME_BYTES = 131_072

interface Frame {
  readonly channel: number
  readonly fields?: { readonly replyCode?: number }
}

/** The parts of amqplib 2.3.1 that are used beneath its `connect`. */
interface Connection extends EventEmitter {
  readonly frameMax: number
  recvFrame(): Frame | false
  open(fields: object, callback: (error: Error | null) => void): void
}

interface ChannelModel extends EventEmitter {
  createConfirmChannel(options: { readonly highWaterMark: number }): Promise<ConfirmChannel>
  close(): Promise<void>
}

interface Library {
  readonly Connection: new (stream: Duplex) => Connection
  readonly ChannelModel: new (connection: Connection) => ChannelModel
  readonly plain: (username: string, password: string) => { mechanism: string; response(): Buffer }
}

/**
 * amqplib's `connect` dials by itself and tells the reply code of a refused handshake only as text. Its parts take a
 * stream of ours and let frames be seen; the package exports none of them, so they are loaded by path.
 */
const library = lazy(async (): Promise<Library> => {
  const { credentials } = await import('amqplib')
  const require = createRequire(import.meta.url)
  const folder = join(dirname(require.resolve('amqplib')), 'lib')
  const { Connection } = require(join(folder, 'connection.js')) as Pick<Library, 'Connection'>
  const { ChannelModel } = require(join(folder, 'channel_model.js')) as Pick<Library, 'ChannelModel'>
  return { Connection, ChannelModel, plain: (username, password) => credentials.plain(username, password) }
})

/** Rejects with `ReplyError`, or with an error of the network; both within twice `OPEN_TIMEOUT_MS`. */
export async function connectRabbitMq(
  network: Network,
  request: ConnectRequest,
): Promise<RabbitMqConnection> {
  const parts = await library()
  const { host, port, tls } = request
  const socket = await network.dial({ host, port, timeoutMs: OPEN_TIMEOUT_MS, ...(tls ? { tls } : {}) })
  socket.setNoDelay(true)
  const connection = new parts.Connection(socket)
  // Without a listener they would end the process; `close` follows each of them.
  connection.on('error', () => undefined)
  const replyCode = watchReplyCode(connection)
  const timer = setTimeout(() => socket.destroy(timedOut()), OPEN_TIMEOUT_MS)
  try {
    await new Promise<void>((resolve, reject) =>
      connection.open(openFields(request, parts), (error) => {
        if (error) reject(error)
        else resolve()
      }),
    )
  } catch (error) {
    socket.destroy()
    const code = replyCode()
    throw code === null ? error : new ReplyError(code)
  } finally {
    clearTimeout(timer)
  }
  const model = new parts.ChannelModel(connection)
  model.on('error', () => undefined)
  // After a missed heartbeat amqplib only ends its half, which a dead peer never answers.
  model.once('close', (error: unknown) => {
    if (error) socket.destroy()
    else socket.destroySoon()
  })
  return {
    events: model,
    maxFrameBytes: connection.frameMax,
    openChannel: (highWaterMark) => model.createConfirmChannel({ highWaterMark }),
    close: (limitMs) => closeWithin(model, socket, limitMs),
  }
}

const timedOut = (): Error => Object.assign(new Error('not open in time'), { code: 'ETIMEDOUT' })

function openFields(
  { vhost, username, password, heartbeatSeconds }: ConnectRequest,
  { plain }: Library,
): object {
  const credentials = plain(username, password)
  return {
    clientProperties: {
      product: 'Barnabas',
      capabilities: {
        publisher_confirms: true,
        'basic.nack': true,
        'connection.blocked': true,
        authentication_failure_close: true,
      },
    },
    mechanism: credentials.mechanism,
    response: credentials.response(),
    locale: 'en_US',
    channelMax: 0,
    frameMax: MAX_FRAME_BYTES,
    heartbeat: heartbeatSeconds,
    virtualHost: vhost,
    capabilities: '',
    insist: 0,
  }
}

/** The code of the broker's last word on the connection (channel 0), or null. */
function watchReplyCode(connection: Connection): () => number | null {
  let code: number | null = null
  const receive = connection.recvFrame.bind(connection)
  connection.recvFrame = () => {
    const frame = receive()
    if (frame && frame.channel === 0) code = frame.fields?.replyCode ?? code
    return frame
  }
  return () => code
}

async function closeWithin(model: ChannelModel, socket: Duplex, limitMs: number): Promise<void> {
  const timer = setTimeout(() => socket.destroy(timedOut()), limitMs)
  const ended = new Promise<void>((resolve) => socket.once('close', resolve))
  // It is closed already, or broke while it closed: there is nothing left to end in order.
  await model.close().catch(() => undefined)
  socket.end()
  if (!socket.destroyed) await ended
  clearTimeout(timer)
}
