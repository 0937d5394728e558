import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { newEventId } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import type { OutgoingEvent, RawSettings, Sender } from '../driver.js'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { testTools } from '../testing/test-tools.js'
import { azureServicebus } from './azure-servicebus.driver.js'
import {
  startServiceBus,
  type Answer,
  type ReceivedMessage,
  type ServiceBusServer,
} from './testing/service-bus.js'

const HOST = 'my-namespace.servicebus.windows.net'
const keyed = (keyName: string): string =>
  `Endpoint=sb://${HOST}/;SharedAccessKeyName=${keyName};SharedAccessKey=c2VjcmV0`
const REFUSED_KEY = 'refused'
const OPTIONS = {
  entities: ['events'],
  refusedKeys: new Set([REFUSED_KEY]),
  maxMessageBytes: 100_000,
}
const settingsOf = (config: Record<string, string> = {}, keyName = 'send'): RawSettings => ({
  config: { name: 'events', ...config },
  credentials: { connection_string: keyed(keyName) },
})

const arrivedOf = ({ body, message }: ReceivedMessage): Arrived => ({
  body,
  metadata: message.application_properties as Record<string, string>,
  eventId: String(message.message_id),
})

class ServiceBusHarness implements DriverHarness {
  private server: ServiceBusServer | null = null
  private earlier: readonly ReceivedMessage[] = []
  private port = 0

  get running(): ServiceBusServer {
    if (!this.server) throw new Error('not started')
    return this.server
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.name': (valid) => ({ ...valid, config: { name: '/events' } }),
    'config.session_id_template': (valid) => ({
      ...valid,
      config: { ...valid.config, session_id_template: '[' },
    }),
    'credentials.connection_string': (valid) => ({
      ...valid,
      credentials: { connection_string: `${keyed('send')};EntityPath=other` },
    }),
  }

  async start(): Promise<void> {
    this.server = await startServiceBus(OPTIONS)
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  async restart(): Promise<void> {
    const { port } = this.running
    this.earlier = [...this.earlier, ...this.running.received]
    await this.running.stop()
    this.server = await startServiceBus({ ...OPTIONS, port })
  }

  tools() {
    return testTools({ azure_servicebus: `amqp://127.0.0.1:${this.port}` })
  }

  settings(): RawSettings {
    this.port = this.running.port
    return settingsOf()
  }

  unreachable(): RawSettings {
    this.port = 1
    return settingsOf()
  }

  badCredentials() {
    this.port = this.running.port
    return { settings: settingsOf({}, REFUSED_KEY), code: 'credentials_rejected' as const }
  }

  /** Two rules of one namespace. */
  rotation(): Rotation {
    this.port = this.running.port
    return {
      before: settingsOf({}, 'old'),
      after: settingsOf({}, 'send'),
      retire: () => void OPTIONS.refusedKeys.add('old'),
      refusal: 'credentials_rejected',
    }
  }

  becomeSlow(): void {
    this.running.answerBy(() => 'hold')
  }

  becomeQuick(): void {
    this.running.answerBy(() => 'accept')
  }

  arrived(): readonly Arrived[] {
    return [...this.earlier, ...this.running.received].map(arrivedOf)
  }
}

describeDriver(azureServicebus, new ServiceBusHarness())

describe('AzureServiceBusSender', () => {
  const never = new AbortController().signal
  const attempt = { number: 1, deliveryId: 'dlv_1' }
  const senders: Sender[] = []
  let server: ServiceBusServer

  beforeAll(async () => {
    server = await startServiceBus(OPTIONS)
  })
  afterAll(() => server.stop())
  afterEach(async () => {
    server.answerBy(() => 'accept')
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
  })

  function open(config: Record<string, string> = {}): Sender {
    const valid = azureServicebus.validate(settingsOf(config))
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const endpoints = { azure_servicebus: `amqp://127.0.0.1:${server.port}` }
    const sender = azureServicebus.open(valid.value, testTools(endpoints))
    senders.push(sender)
    return sender
  }

  const anOutgoing = (
    metadata: Record<string, string> = {},
    payload = '{"customer":"c1"}',
  ): OutgoingEvent => ({
    meta: anEventMeta({ id: newEventId(), metadata }),
    payload: Buffer.from(payload),
  })
  const send = (sender: Sender, event = anOutgoing()) => sender.send(event, attempt, never)
  const receivedOf = ({ meta }: OutgoingEvent) =>
    server.received.find(({ message }) => message.message_id === meta.id)

  it.each<[string, string, string]>([
    ['is busy', 'com.microsoft:server-busy', 'throttled'],
    ['is full', 'amqp:resource-limit-exceeded', 'throttled'],
    ['does not let the key send', 'amqp:unauthorized-access', 'credentials_rejected'],
    ['finds the event too large', 'amqp:link:message-size-exceeded', 'payload_too_large'],
    ['has an error inside', 'amqp:internal-error', 'target_failed'],
    ['was switched off', 'com.microsoft:entity-disabled', 'target_failed'],
    ['wants a session id', 'amqp:not-allowed', 'target_failed'],
  ])('names the reason, after one attempt, when Service Bus %s', async (_name, condition, code) => {
    const sender = open()
    const event = anOutgoing()
    const answers: Answer[] = [{ condition }]
    server.answerBy(() => answers.shift() ?? 'accept')
    expect(await send(sender, event)).toMatchObject({ code })
    expect((await send(sender)).kind).toBe('delivered')
  })

  it.each(['nowhere', 'nameless'])(
    'ends a delivery to an entity that does not exist for good',
    async (name) => {
      expect(await send(open({ name }))).toMatchObject({ kind: 'permanent', code: 'target_not_found' })
    },
  )

  it('says that nothing listens', async () => {
    const valid = azureServicebus.validate(settingsOf())
    if (!valid.ok) throw new Error('not valid')
    const sender = azureServicebus.open(valid.value, testTools({ azure_servicebus: 'amqp://127.0.0.1:1' }))
    senders.push(sender)
    expect(await send(sender)).toMatchObject({ kind: 'retryable', code: 'connection_refused' })
  })

  it('gives each of the events that are under way its own outcome', async () => {
    const sender = open()
    const events = Array.from({ length: 30 }, (_, n) => anOutgoing({ n: String(n) }))
    server.answerBy(({ application_properties: { n } = {} }) =>
      n === '7' ? { condition: 'amqp:not-allowed' } : 'accept',
    )
    const outcomes = await Promise.all(events.map((event) => send(sender, event)))
    expect(outcomes.flatMap(({ kind }, n) => (kind === 'delivered' ? [] : [n]))).toEqual([7])
  })

  it('sends id, type and session with the event', async () => {
    const event = anOutgoing()
    expect((await send(open({ session_id_template: 'data.customer' }), event)).kind).toBe('delivered')
    expect(receivedOf(event)?.message).toMatchObject({
      message_id: event.meta.id,
      content_type: 'application/json',
      group_id: 'c1',
    })
  })

  it('takes names of metadata as they are, and lets none of them hold control characters', async () => {
    const event = anOutgoing({ constructor: 'b', line: 'a\r\nb', 'event-id': 'x' })
    expect((await send(open(), event)).kind).toBe('delivered')
    expect(receivedOf(event)?.message.application_properties).toMatchObject({
      constructor: 'b',
      line: 'a  b',
      'event-id': event.meta.id,
    })
  })

  it('says which template gave no session id', async () => {
    expect(await send(open({ session_id_template: 'data.none' }))).toMatchObject({ code: 'template_failed' })
  })

  it('refuses an event that is larger than the queue takes, and goes on', async () => {
    const sender = open()
    expect(await send(sender, anOutgoing({}, 'x'.repeat(150_000)))).toMatchObject({
      code: 'payload_too_large',
    })
    expect((await send(sender)).kind).toBe('delivered')
  })

  it('stays usable when a send was given up while Service Bus did not answer', async () => {
    const sender = open()
    await send(sender)
    server.answerBy(() => 'hold')
    const abort = new AbortController()
    const sent = sender.send(anOutgoing(), attempt, abort.signal)
    setTimeout(() => abort.abort('timeout'), 100)
    expect(await sent).toMatchObject({ code: 'timeout' })
    server.answerBy(() => 'accept')
    await eventually(async () => (await send(sender)).kind === 'delivered')
  })
})
