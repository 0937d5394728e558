import type { AddressInfo, Server } from 'node:net'
import { serve } from '@barnabas/tools'
import rhea, { type Connection, type EventContext, type Message } from 'rhea'

export type ServiceBusCommands = {
  listen: { input: null; output: { address: string } }
}

/** Where clients leave their tokens: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide */
const CBS = '$cbs'
/** Messages that a link may have under way. */
const CREDIT = 1_000

/** The client waits for it on the link that it named. */
function takeToken(connection: Connection, { reply_to: replyTo, message_id: id }: Message): void {
  connection
    .find_sender((one: { name: string }) => one.name === replyTo)
    ?.send({
      to: replyTo ?? '',
      correlation_id: id ?? '',
      body: '',
      application_properties: { 'status-code': 202, 'status-description': 'OK' },
    })
}

serve<ServiceBusCommands>({
  /** Every token is right, and every message is taken and forgotten. */
  listen: () => {
    const container = rhea.create_container({
      receiver_options: { autoaccept: false, credit_window: CREDIT },
    })
    const mechanisms = container.sasl_server_mechanisms as { enable_anonymous(): void }
    mechanisms.enable_anonymous()
    for (const event of ['error', 'connection_error', 'disconnected']) container.on(event, () => undefined)
    container.on('sender_open', ({ sender }: EventContext) => sender?.set_source(sender.source))
    container.on('receiver_open', ({ receiver }: EventContext) => receiver?.set_target(receiver.target))
    container.on('message', ({ connection, receiver, delivery, message }: EventContext) => {
      delivery?.accept()
      if (message && String(receiver?.target.address) === CBS) takeToken(connection, message)
    })
    const server: Server = container.listen({ port: 0, host: '127.0.0.1' })
    return new Promise((resolve) => {
      server.once('listening', () => {
        resolve({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` })
      })
    })
  },
})
