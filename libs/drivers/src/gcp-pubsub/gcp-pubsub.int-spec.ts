import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { newEventId } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import { startPubsub, type PubsubFault, type PubsubTarget } from '@barnabas/tools'
import type { OutgoingEvent, Sender } from '../driver.js'
import { describeDriver, type DriverHarness } from '../testing/describe-driver.js'
import { testTools } from '../testing/test-tools.js'
import { gcpPubsub } from './gcp-pubsub.driver.js'

const KEY = JSON.stringify({
  type: 'service_account',
  client_email: 'publisher@my-project-123.iam.gserviceaccount.com',
  private_key: generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey,
})
const NOBODY = 'http://127.0.0.1:1'
const PERMISSION_DENIED = 7
const nameOf = (topic: string): string => `projects/my-project-123/topics/${topic}`
const settingsOf = (topic: string, more: Record<string, string> = {}) => ({
  config: { project_id: 'my-project-123', topic, ...more },
  credentials: { service_account_json: KEY },
})

class PubsubHarness implements DriverHarness {
  private target: PubsubTarget | null = null
  private earlier: Awaited<ReturnType<PubsubTarget['messages']>> = []
  private endpoint = ''

  get running(): PubsubTarget {
    if (!this.target) throw new Error('not started')
    return this.target
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.topic': (valid) => ({ ...valid, config: { ...valid.config, topic: 'projects/p/topics/t' } }),
    'config.project_id': (valid) => ({ ...valid, config: { ...valid.config, project_id: 'A/b' } }),
    'config.endpoint': (valid) => ({ ...valid, config: { ...valid.config, endpoint: '127.0.0.1:8085' } }),
    'credentials.service_account_json': (valid) => ({
      ...valid,
      credentials: { service_account_json: '{}' },
    }),
  }

  async start(): Promise<void> {
    this.target = await startPubsub()
    await this.prepare()
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  async restart(): Promise<void> {
    this.earlier = await this.running.messages()
    await this.running.restart()
    await this.prepare()
  }

  tools() {
    return testTools({ gcp_pubsub: this.endpoint })
  }

  settings() {
    this.endpoint = `http://127.0.0.1:${this.running.port}`
    return settingsOf('events')
  }

  unreachable() {
    this.endpoint = NOBODY
    return settingsOf('events')
  }

  badCredentials() {
    this.endpoint = `http://127.0.0.1:${this.running.port}`
    return { settings: settingsOf('forbidden'), code: 'credentials_rejected' as const }
  }

  /** An emulator is sent no token that it could refuse; gcp-pubsub.rotation.int-spec.ts puts a door before it. */
  rotation() {
    return null
  }

  becomeSlow(): void {
    this.running.freeze()
  }

  becomeQuick(): void {
    this.running.thaw()
  }

  async arrived() {
    return [...this.earlier, ...(await this.running.messages())].map(({ data, attributes }) => ({
      body: data,
      metadata: attributes,
      eventId: attributes['event-id'] ?? '',
    }))
  }

  private async prepare(): Promise<void> {
    await this.running.createTopic(nameOf('events'))
    await this.running.setFaults([{ topic: nameOf('forbidden'), code: PERMISSION_DENIED, times: -1 }])
  }
}

describeDriver(gcpPubsub, new PubsubHarness())

describe('PubsubSender', () => {
  const never = new AbortController().signal
  const attempt = { number: 1, deliveryId: 'dlv_1' }
  let target: PubsubTarget
  const senders: Sender[] = []

  beforeAll(async () => {
    target = await startPubsub()
    await target.createTopic(nameOf('events'))
  })
  afterAll(() => target.stop())
  afterEach(async () => {
    await target.setFaults([])
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
  })

  function open(config: Record<string, string> = {}, topic = 'events'): Sender {
    const valid = gcpPubsub.validate(settingsOf(topic, config))
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const sender = gcpPubsub.open(valid.value, testTools({ gcp_pubsub: `http://127.0.0.1:${target.port}` }))
    senders.push(sender)
    return sender
  }

  const anOutgoing = (metadata: Record<string, string> = {}, payload = '{"n":1}'): OutgoingEvent => ({
    meta: anEventMeta({ id: newEventId(), metadata }),
    payload: Buffer.from(payload),
  })

  const arrivedFor = async (ids: readonly string[]) =>
    (await target.messages()).filter(({ attributes }) => ids.includes(attributes['event-id'] ?? ''))

  it.each<[string, Omit<PubsubFault, 'times'>, string]>([
    ['asks for less', { code: 8 }, 'throttled'],
    ['fails', { code: 13 }, 'target_failed'],
    ['is not available', { code: 14 }, 'connection_failed'],
    ['wants no token of ours', { code: 16 }, 'credentials_rejected'],
    ['refuses the message', { code: 3 }, 'event_refused'],
  ])('names the reason, after one request, when Pub/Sub %s', async (_name, fault, code) => {
    await target.setFaults([{ ...fault, times: 1 }])
    const sender = open()
    expect(await sender.send(anOutgoing(), attempt, never)).toMatchObject({ code })
    expect(await sender.send(anOutgoing(), attempt, never)).toMatchObject({ kind: 'delivered' })
  })

  it('ends a delivery to a topic that does not exist for good', async () => {
    expect(await open({}, 'nowhere').send(anOutgoing(), attempt, never)).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
  })

  it('fails only the event that Pub/Sub refuses, also when it shared its request with others', async () => {
    await target.setFaults([{ code: 3, times: -1, marked: 'this' }])
    const sender = open()
    const events = Array.from({ length: 60 }, (_, index) => anOutgoing(index === 40 ? { fault: 'this' } : {}))
    const outcomes = await Promise.all(events.map((event) => sender.send(event, attempt, never)))
    const codes = outcomes.map(({ code }) => code)
    expect(codes.filter((code) => code !== 'accepted')).toEqual(['event_refused'])
    expect(codes[40]).toBe('event_refused')
    expect(await arrivedFor(events.map(({ meta }) => meta.id))).toHaveLength(59)
  })

  it('keeps the order of events with one ordering key, and goes on after a failure', async () => {
    const sender = open({ ordering_key_template: 'data.customer' })
    const sendAll = async () => {
      const events = Array.from({ length: 50 }, (_, n) =>
        anOutgoing({}, JSON.stringify({ customer: `c${n % 2}`, n })),
      )
      const outcomes = await Promise.all(events.map((event) => sender.send(event, attempt, never)))
      return { ids: events.map(({ meta }) => meta.id), kinds: new Set(outcomes.map(({ kind }) => kind)) }
    }
    await target.setFaults([{ code: 14, times: 2 }])
    expect((await sendAll()).kinds).toContain('retryable')
    const { ids, kinds } = await sendAll()
    expect([...kinds]).toEqual(['delivered'])
    const arrived = await arrivedFor(ids)
    for (const key of ['c0', 'c1']) {
      const ofKey = arrived.filter(({ orderingKey }) => orderingKey === key)
      expect(ofKey.map(({ attributes }) => attributes['event-id'])).toEqual(
        ids.filter((_, n) => `c${n % 2}` === key),
      )
    }
  })

  it('takes names of metadata as they are, and lets none of them hold control characters', async () => {
    const event = anOutgoing(
      JSON.parse('{"__proto__":"a","constructor":"b","line":"a\\r\\nb","event-id":"x"}') as Record<
        string,
        string
      >,
    )
    expect((await open().send(event, attempt, never)).kind).toBe('delivered')
    const [arrived] = await arrivedFor([event.meta.id])
    const names = Object.entries(arrived?.attributes ?? {})
    expect(names).toEqual(
      expect.arrayContaining([
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['line', 'a  b'],
      ]),
    )
  })

  it.each([
    ['too many attributes', Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`n${n}`, 'v']))],
    ['a long value', { note: 'x'.repeat(1_025) }],
    ['a reserved name', { googclient: 'x' }],
  ])('refuses an event with %s before it could spoil the request of others', async (_name, metadata) => {
    expect(await open().send(anOutgoing(metadata), attempt, never)).toMatchObject({ code: 'event_refused' })
  })

  it('refuses an event that is larger than Pub/Sub takes', async () => {
    const event = anOutgoing({}, 'x'.repeat(10_000_000))
    expect(await open().send(event, attempt, never)).toMatchObject({ code: 'payload_too_large' })
  })

  it('says which template gave no ordering key', async () => {
    const sender = open({ ordering_key_template: 'data.customer' })
    expect(await sender.send(anOutgoing(), attempt, never)).toMatchObject({
      code: 'template_failed',
      detail: 'The ordering key template gives nothing for this event.',
    })
  })

  it('stays usable when a send was given up while Pub/Sub did not answer', async () => {
    const sender = open()
    target.freeze()
    const abort = new AbortController()
    const sends = Array.from({ length: 20 }, () => sender.send(anOutgoing(), attempt, abort.signal))
    setTimeout(() => abort.abort('timeout'), 100)
    expect(new Set((await Promise.all(sends)).map(({ code }) => code))).toEqual(new Set(['timeout']))
    target.thaw()
    await eventually(async () => (await sender.send(anOutgoing(), attempt, never)).kind === 'delivered')
  })
})
