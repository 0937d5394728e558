import { rmSync } from 'node:fs'
import kafkajs, { type Admin, type Consumer, type KafkaMessage } from 'kafkajs'
import { newTestAuthority, type KeyPair, type TestAuthority } from '@barnabas/testing'
import { startSecuredKafka, throwawayFolder, type SecuredKafka } from '@barnabas/tools'
import type { RawSettings } from '../../driver.js'
import type { Arrived, DriverHarness } from '../../testing/describe-driver.js'
import type { Rotation } from '../../testing/describe-rotation.js'

export const TOPIC = 'events'
const PARTITIONS = 3
const USERS = { writer: 'writers-secret', other: 'others-secret', old: 'an-older-secret' }

/**
 * A real Kafka with one topic and a consumer that notes what arrives. All tests of a file share it: it runs from the
 * first `start` until as many calls of `stop`.
 */
export class KafkaHarness implements DriverHarness {
  private readonly dataDir = throwawayFolder('secured-kafka')
  private running: SecuredKafka | null = null
  private users = 0
  private consumer: Consumer | null = null
  private admin: Admin | null = null
  private readonly byPlace = new Map<string, KafkaMessage>()
  private clientPair: KeyPair | null = null
  private ownAuthority: TestAuthority | null = null

  get broker(): SecuredKafka {
    return given(this.running)
  }

  /** With all rights. */
  get administrator(): Admin {
    return given(this.admin)
  }

  get authority(): TestAuthority {
    return given(this.ownAuthority)
  }

  get client(): KeyPair {
    return given(this.clientPair)
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.brokers': (valid) => withConfig(valid, { brokers: 'localhost:9092,[::1]:9092' }),
    'config.topic': (valid) => withConfig(valid, { topic: 'a/b' }),
    'config.sasl_mechanism': (valid) => withConfig(valid, { sasl_mechanism: 'gssapi' }),
    'config.partition_key_template': (valid) => withConfig(valid, { partition_key_template: 'x(' }),
    'config.format': (valid) => withConfig(valid, { format: 'xml' }),
    'config.oauth_token_url': (valid) => withConfig(valid, { sasl_mechanism: 'oauthbearer' }),
    'credentials.schema_registry_username': (valid) => ({
      ...valid,
      credentials: { ...valid.credentials, schema_registry_password: 'x' },
    }),
    'credentials.password': (valid) => ({ ...valid, credentials: { username: 'writer' } }),
    'credentials.client_certificate': (valid) => ({
      ...withConfig(valid, { tls: 'true' }),
      credentials: { ...valid.credentials, client_key: this.client.key },
    }),
  }

  async start(): Promise<void> {
    if (this.users++ > 0) return
    this.ownAuthority = await newTestAuthority()
    this.clientPair = await this.ownAuthority.client('sender')
    const tls = { authority: this.ownAuthority.certificate, ...(await this.ownAuthority.server()) }
    this.running = await startSecuredKafka({ dataDir: this.dataDir, tls, users: USERS })
    this.admin = this.kafka().admin()
    await this.admin.connect()
    await this.createTopic(TOPIC, PARTITIONS)
    await this.consume()
  }

  async stop(): Promise<void> {
    if (--this.users > 0) return
    await this.consumer?.disconnect().catch(() => undefined)
    await this.admin?.disconnect().catch(() => undefined)
    await this.broker.stop()
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  async restart(): Promise<void> {
    await this.consumer?.disconnect()
    await this.broker.halt()
    await this.broker.resume()
    await this.consume()
  }

  settings(config: Record<string, string> = {}) {
    return {
      config: {
        brokers: this.broker.sasl,
        topic: TOPIC,
        sasl_mechanism: 'scram-sha-256',
        tls: 'false',
        ...config,
      },
      credentials: { username: 'writer', password: USERS.writer } as Record<string, string>,
    }
  }

  unreachable(): RawSettings {
    return this.settings({ brokers: '127.0.0.1:1' })
  }

  badCredentials() {
    const settings = { ...this.settings(), credentials: { username: 'writer', password: 'wrong' } }
    return { settings, code: 'credentials_rejected' as const }
  }

  /** Two users. Kafka leaves the connections of one that is removed alone. */
  rotation(): Rotation {
    return {
      before: { ...this.settings(), credentials: { username: 'old', password: USERS.old } },
      after: this.settings(),
      retire: () => this.broker.removeUser('old'),
      refusal: 'credentials_rejected',
    }
  }

  becomeSlow(): void {
    this.broker.freeze()
  }

  becomeQuick(): void {
    this.broker.thaw()
  }

  get messages(): KafkaMessage[] {
    return [...this.byPlace.values()]
  }

  arrived(): Arrived[] {
    return this.messages.map(({ value, headers = {} }) => {
      const metadata = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)]))
      return { body: value ?? Buffer.alloc(0), metadata, eventId: metadata['event-id'] ?? '' }
    })
  }

  async createTopic(topic: string, numPartitions = 1, config: Record<string, string> = {}): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await this.administrator.createTopics({
      topics: [{ topic, numPartitions, configEntries }],
      waitForLeaders: true,
    })
  }

  private kafka() {
    return new kafkajs.Kafka({ brokers: [this.broker.plain], logLevel: kafkajs.logLevel.NOTHING })
  }

  private async consume(): Promise<void> {
    const consumer = this.kafka().consumer({ groupId: `harness-${this.byPlace.size}-${Date.now()}` })
    this.consumer = consumer
    await consumer.connect()
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
    await consumer.run({
      eachMessage: ({ partition, message }) => {
        this.byPlace.set(`${partition}/${message.offset}`, message)
        return Promise.resolve()
      },
    })
  }
}

function given<Value>(value: Value | null): Value {
  if (value === null) throw new Error('not started')
  return value
}

const withConfig = (settings: RawSettings, config: Record<string, string>): RawSettings => ({
  ...settings,
  config: { ...settings.config, ...config },
})
