import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:https'
import rhea, { type Connection, type Container, type EventContext, type Message } from 'rhea'
import { WebSocketServer, type WebSocket } from 'ws'
import type { KeyPair } from '@barnabas/testing'

/** What the server does with a message. `condition`: why it rejects it. */
export type Answer = 'accept' | 'hold' | { readonly condition: string }

export interface ReceivedMessage {
  readonly entity: string
  readonly body: Buffer
  readonly message: Message
}

export interface ServiceBusServer {
  readonly port: number
  readonly received: readonly ReceivedMessage[]
  /** For messages that come from now on; those that were held are answered when it is no longer `hold`. */
  answerBy(script: (message: Message) => Answer): void
  stop(): Promise<void>
}

export interface ServiceBusServerOptions {
  readonly port?: number
  /** Names of queues and topics; others do not exist, `nameless` says so without the usual sentence. */
  readonly entities: readonly string[]
  /** Names of keys that are refused; looked at whenever a token comes. */
  readonly refusedKeys: ReadonlySet<string>
  readonly maxMessageBytes: number
  /** Speak AMQP in WebSockets over TLS, as Azure does at port 443; else AMQP as it is. */
  readonly webSocketsWith?: KeyPair
}

const CBS = '$cbs'
const PATH = '/$servicebus/websocket'
const PROTOCOL = 'AMQPWSB10'
/** Messages that a link may have under way. */
const CREDIT = 1_000

/**
 * As much of Service Bus as senders need: tokens over `$cbs`
 * (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide), links and dispositions.
 */
export async function startServiceBus(options: ServiceBusServerOptions): Promise<ServiceBusServer> {
  const { entities, refusedKeys, maxMessageBytes } = options
  const received: ReceivedMessage[] = []
  const connections = new Set<Connection>()
  const held: EventContext[] = []
  let script: (message: Message) => Answer = () => 'accept'
  const container = rhea.create_container({
    receiver_options: { autoaccept: false, credit_window: CREDIT, max_message_size: maxMessageBytes },
  })
  const mechanisms = container.sasl_server_mechanisms as { enable_anonymous(): void }
  mechanisms.enable_anonymous()

  const answer = (context: EventContext): void => {
    const what = script(context.message as Message)
    if (what === 'hold') held.push(context)
    else if (what === 'accept') context.delivery?.accept()
    else context.delivery?.reject({ condition: what.condition, description: 'as the test wants it' })
  }
  container.on('connection_open', ({ connection }: EventContext) => void connections.add(connection))
  container.on('error', () => undefined)
  container.on('connection_error', () => undefined)
  container.on('disconnected', ({ connection }: EventContext) => void connections.delete(connection))
  container.on('sender_open', ({ sender }: EventContext) => sender?.set_source(sender.source))
  container.on('receiver_open', ({ receiver }: EventContext) => {
    if (!receiver) return
    const entity = String(receiver.target.address)
    receiver.set_target(receiver.target)
    if (entity !== CBS && !entities.includes(entity))
      receiver.close({
        condition: 'amqp:not-found',
        description: entity === 'nameless' ? '' : `The messaging entity '${entity}' could not be found.`,
      })
  })
  container.on('message', (context: EventContext) => {
    const { connection, receiver, delivery, message } = context
    if (!message) return
    const entity = String(receiver?.target.address)
    if (entity === CBS) {
      delivery?.accept()
      return answerToken(connection, message, refusedKeys)
    }
    received.push({ entity, body: bytesOf(message), message })
    answer(context)
  })

  const at = { port: options.port ?? 0, host: '127.0.0.1' }
  const webSockets = options.webSocketsWith && webSocketServer(container, options.webSocketsWith)
  const server: Server =
    (webSockets?.options.server as Server | undefined)?.listen(at) ?? container.listen(at)
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    received,
    answerBy: (next) => {
      script = next
      for (const context of held.splice(0)) answer(context)
    },
    stop: () => end(server, connections, webSockets?.clients ?? new Set()),
  }
}

function webSocketServer(container: Container, { key, certificate: cert }: KeyPair): WebSocketServer {
  const webSockets = new WebSocketServer({
    server: createServer({ key, cert }),
    path: PATH,
    handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
  })
  return webSockets.on('connection', (socket) => container.websocket_accept(socket as never, {}))
}

function end(
  server: Server,
  connections: ReadonlySet<Connection>,
  clients: ReadonlySet<WebSocket>,
): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const client of clients) client.terminate()
    // With an error, for that is how the library learns of it: else its heartbeats would go on for ever.
    for (const { socket } of connections as ReadonlySet<{ socket?: Partial<Socket> }>)
      socket?.destroy?.(new Error('the server ends'))
  })
}

/** The client waits for it on the link that it named. */
function answerToken(connection: Connection, message: Message, refusedKeys: ReadonlySet<string>): void {
  const link = connection.find_sender((one: { name: string }) => one.name === message.reply_to)
  const [, keyName = ''] = /skn=([^&]*)/.exec(String(message.body)) ?? []
  const isRefused = refusedKeys.has(keyName)
  link?.send({
    to: message.reply_to,
    correlation_id: message.message_id,
    body: '',
    application_properties: isRefused
      ? { 'status-code': 401, 'status-description': 'refused', 'error-condition': 'amqp:unauthorized-access' }
      : { 'status-code': 202, 'status-description': 'OK' },
  })
}

function bytesOf({ body }: Message): Buffer {
  const content: unknown = (body as { content?: unknown }).content ?? body
  return Buffer.isBuffer(content) ? content : Buffer.from(String(content))
}
