import { rmSync } from 'node:fs'
import { connect } from 'amqplib'
import { startRabbitMq, throwawayFolder } from '@barnabas/tools'
import { byEvent, type EndTarget } from './target.js'

const EXCHANGE = 'events'
const OLD = { username: 'old', password: 'an-older-password' }

/** A RabbitMQ with a topic exchange and a queue that gets everything. */
export async function rabbitMqTarget(): Promise<EndTarget> {
  const dataDir = throwawayFolder('rabbitmq')
  const broker = await startRabbitMq({ dataDir })
  const client = await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)
  const channel = await client.createChannel()
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('all', { durable: true })
  await channel.bindQueue(queue, EXCHANGE, '#')
  const received: [string, string][] = []
  await channel.consume(queue, (message) => {
    if (!message) return
    received.push([String(message.properties.headers?.['event-id']), message.content.toString()])
    channel.ack(message)
  })
  await broker.ctl('add_user', OLD.username, OLD.password)
  await broker.ctl('set_permissions', OLD.username, '', EXCHANGE, '')
  return {
    type: 'rabbitmq',
    config: { server_url: `127.0.0.1:${broker.port}`, exchange: EXCHANGE },
    credentials: OLD,
    rotate: () => ({
      credentials: { username: 'guest', password: 'guest' },
      retire: async () => void (await broker.ctl('delete_user', OLD.username)),
    }),
    arrivals: () => Promise.resolve(byEvent(received)),
    stop: async () => {
      await client.close()
      await broker.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
