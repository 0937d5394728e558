import { rmSync } from 'node:fs'
import { connect, type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib'
import { newTestAuthority, type KeyPair, type TestAuthority } from '@barnabas/testing'
import { startRabbitMq, throwawayFolder, type RabbitMq } from '@barnabas/tools'
import type { RawSettings } from '../../driver.js'
import type { Arrived, DriverHarness } from '../../testing/describe-driver.js'
import type { Rotation } from '../../testing/describe-rotation.js'

export const EXCHANGE = 'events'
/** Bound for `order.#`. */
export const QUEUE = 'orders'

/**
 * A real broker with one exchange, one queue, and a consumer that notes what arrives. It takes 8 s to start, so all
 * tests of a file share it: it runs from the first `start` until as many calls of `stop`.
 */
export class RabbitMqHarness implements DriverHarness {
  private readonly dataDir = throwawayFolder('rabbitmq')
  private running: RabbitMq | null = null
  private users = 0
  private consumer: ChannelModel | null = null
  private admin: Channel | null = null
  readonly messages: ConsumeMessage[] = []
  authority: TestAuthority | null = null
  client: KeyPair | null = null

  get broker(): RabbitMq {
    if (!this.running) throw new Error('not started')
    return this.running
  }

  /** A channel with all rights. */
  get channel(): Channel {
    if (!this.admin) throw new Error('not started')
    return this.admin
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.server_url': (valid) => withConfig(valid, { server_url: 'localhost' }),
    'config.exchange': (valid) => withConfig(valid, { exchange: 'é'.repeat(128) }),
    'config.routing_key_template': (valid) => withConfig(valid, { routing_key_template: 'data.' }),
    'config.tls': (valid) => withConfig(valid, { tls: 'yes' }),
    'config.ca_certificate': (valid) => withConfig(valid, { ca_certificate: 'none' }),
    'credentials.password': (valid) => ({ ...valid, credentials: { username: 'guest' } }),
    'credentials.client_key': (valid) => ({
      ...withConfig(valid, { tls: 'true' }),
      credentials: { ...valid.credentials, client_certificate: this.client?.certificate },
    }),
  }

  async start(): Promise<void> {
    if (this.users++ > 0) return
    this.authority = await newTestAuthority()
    this.client = await this.authority.client('sender')
    const tls = { authority: this.authority.certificate, ...(await this.authority.server()) }
    this.running = await startRabbitMq({ dataDir: this.dataDir, tls })
    await this.consume()
  }

  async stop(): Promise<void> {
    if (--this.users > 0) return
    await this.consumer?.close().catch(() => undefined)
    await this.broker.stop()
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  async restart(): Promise<void> {
    await this.broker.halt()
    await this.broker.resume()
    await this.consume()
  }

  settings(config: Record<string, string> = {}) {
    return {
      config: { server_url: `127.0.0.1:${this.broker.port}`, exchange: EXCHANGE, ...config },
      credentials: { username: 'guest', password: 'guest' },
    }
  }

  unreachable(): RawSettings {
    return this.settings({ server_url: '127.0.0.1:1' })
  }

  badCredentials() {
    const settings = { ...this.settings(), credentials: { username: 'guest', password: 'wrong' } }
    return { settings, code: 'credentials_rejected' as const }
  }

  /** Two users. The broker closes the connections of one that is removed. */
  async rotation(): Promise<Rotation> {
    await this.broker.ctl('add_user', 'old', 'an-older-password')
    await this.broker.ctl('set_permissions', 'old', '', EXCHANGE, '')
    return {
      before: { ...this.settings(), credentials: { username: 'old', password: 'an-older-password' } },
      after: this.settings(),
      retire: async () => void (await this.broker.ctl('delete_user', 'old')),
      refusal: 'credentials_rejected',
    }
  }

  becomeSlow(): void {
    this.broker.freeze()
  }

  becomeQuick(): void {
    this.broker.thaw()
  }

  arrived(): Arrived[] {
    return this.messages.map(({ content, properties }) => ({
      body: content,
      metadata: properties.headers as Record<string, string>,
      eventId: String(properties.messageId),
    }))
  }

  private async consume(): Promise<void> {
    const consumer = await connect(`amqp://guest:guest@127.0.0.1:${this.broker.port}`)
    consumer.on('error', () => undefined)
    this.consumer = consumer
    const channel = await consumer.createChannel()
    this.admin = channel
    await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
    await channel.assertQueue(QUEUE, { durable: true })
    await channel.bindQueue(QUEUE, EXCHANGE, 'order.#')
    await channel.consume(QUEUE, (message) => message && this.messages.push(message), { noAck: true })
  }
}

const withConfig = (settings: RawSettings, config: Record<string, string>): RawSettings => ({
  ...settings,
  config: { ...settings.config, ...config },
})
