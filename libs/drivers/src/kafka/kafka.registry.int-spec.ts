import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { SchemaRegistry as Client, SchemaType } from '@kafkajs/confluent-schema-registry'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { anEventMeta, eventually } from '@barnabas/testing'
import { startSchemaRegistry, throwawayFolder, type SchemaRegistryTarget } from '@barnabas/tools'
import { Network } from '../network/network.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { kafka } from './kafka.driver.js'
import { SchemaRegistry, type RegistrySettings } from './kafka.registry.js'
import { KafkaHarness, TOPIC } from './testing/kafka-harness.js'

const AVRO_ORDER = JSON.stringify({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total', type: 'long' },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
})
const JSON_ORDER = JSON.stringify({
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^o-' }, at: { type: 'string', format: 'date-time' } },
})
const ANY_OBJECT = '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}'
const PROTO_ORDER =
  'syntax = "proto3";\npackage shop;\nmessage Order {\n  string id = 1;\n  int32 total = 2;\n}\n'

const dataDir = throwawayFolder('schema-registry')
const brokers = new KafkaHarness()
let target: SchemaRegistryTarget
let client: Client
const registries: SchemaRegistry[] = []
const servers: Server[] = []

beforeAll(async () => {
  target = await startSchemaRegistry({ dataDir })
  client = new Client({ host: target.url })
})
afterAll(async () => {
  await target.stop()
  rmSync(dataDir, { recursive: true, force: true })
})
afterEach(async () => {
  await Promise.all(registries.splice(0).map((registry) => registry.close()))
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

function open(
  subject: string,
  settings: Partial<RegistrySettings> = {},
  network = testNetwork(),
): SchemaRegistry {
  const registry = new SchemaRegistry(
    { url: target.url, subject, login: undefined, ...settings },
    network,
    () => nowMs,
  )
  registries.push(registry)
  return registry
}

let nowMs = 0
/** The client of the library would compile the schema first, by rules of its own. */
async function register(subject: string, schemaType: string, schema: string): Promise<{ id: number }> {
  const response = await fetch(`${target.url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schemaType, schema }),
  })
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as { id: number }
}

async function encoded(registry: SchemaRegistry, payload: string) {
  const result = await registry.encode(Buffer.from(payload))
  if (!result.ok) throw new Error(result.failure.code)
  return result.value
}
const codeOf = async (registry: SchemaRegistry, payload = '{"id":"o-1"}'): Promise<string> => {
  const result = await registry.encode(Buffer.from(payload))
  return result.ok ? 'encoded' : `${result.failure.kind} ${result.failure.code}`
}

/** Answers everything with one status. */
async function answering(status: number, body = '{}'): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

describe('a payload', () => {
  it('is Avro that others read', async () => {
    const { id } = await register('avro-orders', 'AVRO', AVRO_ORDER)
    const { value, contentType } = await encoded(open('avro-orders'), '{"id":"o-1","total":7,"more":true}')
    expect([value.readUInt8(0), value.readInt32BE(1)]).toEqual([0, id])
    expect(contentType).toBe('application/avro')
    expect(await client.decode(value)).toEqual({ id: 'o-1', total: 7, note: null })
  })

  it('is JSON, byte for byte, when it fits', async () => {
    await register('json-orders', 'JSON', JSON_ORDER)
    const payload = '{"n":12345678901234567890, "id":"o-1"}'
    const { value, contentType } = await encoded(open('json-orders'), payload)
    expect(value.subarray(5).toString()).toBe(payload)
    expect(contentType).toBeNull()
  })

  it('is Protobuf with the index of its message', async () => {
    await register('proto-orders', 'PROTOBUF', PROTO_ORDER)
    const { value } = await encoded(open('proto-orders'), '{"id":"o-1","total":7}')
    expect(value.readUInt8(5)).toBe(0)
    expect(await client.decode(value)).toMatchObject({ id: 'o-1', total: 7 })
  })

  it.each([
    ['avro-orders', '{"id":1,"total":7}'],
    ['avro-orders', '{"id":"o-1"}'],
    ['avro-orders', '{"id":"o-1","total":12345678901234567890}'],
    ['json-orders', '{"id":"x"}'],
    ['json-orders', '{"constructor":"o-1"}'],
    ['proto-orders', '{"id":"o-1","total":"many"}'],
    ['proto-orders', 'no JSON'],
  ])('that does not fit the schema of %s ends its delivery for good: %s', async (subject, payload) => {
    expect(await codeOf(open(subject), payload)).toBe('permanent event_refused')
  })

  it('is encoded by a schema that refers to others', async () => {
    const address =
      '{"type":"record","name":"Address","namespace":"shop","fields":[{"name":"city","type":"string"}]}'
    await register('addresses', 'AVRO', address)
    const schema =
      '{"type":"record","name":"Parcel","namespace":"shop","fields":[{"name":"to","type":"shop.Address"}]}'
    const references = [{ name: 'shop.Address', subject: 'addresses', version: 1 }]
    await client.register({ type: SchemaType.AVRO, schema, references }, { subject: 'parcels' })
    const { value } = await encoded(open('parcels'), '{"to":{"city":"Delft"}}')
    expect(await client.decode(value)).toEqual({ to: { city: 'Delft' } })
  })
})

describe('the schema', () => {
  it('is the latest, noticed within a minute', async () => {
    await register('growing', 'JSON', ANY_OBJECT)
    const registry = open('growing')
    const first = (await encoded(registry, '{}')).value.readInt32BE(1)
    const { id } = await register('growing', 'JSON', ANY_OBJECT.replace('}', ',"title":"newer"}'))
    expect((await encoded(registry, '{}')).value.readInt32BE(1)).toBe(first)
    nowMs += 60_000
    expect((await encoded(registry, '{}')).value.readInt32BE(1)).toBe(id)
  })

  it.each([
    ['a pattern that is no regular expression of linear time', '{"properties":{"a":{"pattern":"(?=x)x"}}}'],
    ['a dialect that is not known', '{"$schema":"https://json-schema.org/draft/2020-12/schema"}'],
  ])('cannot be used because of %s', async (_case, schema) => {
    const body = JSON.stringify({ id: 1, schemaType: 'JSON', schema })
    expect(await codeOf(open('any', { url: await answering(200, body) }))).toBe('permanent invalid_settings')
  })

  it('has patterns that do not hold up others', async () => {
    const schema = '{"properties":{"id":{"type":"string","pattern":"^(a+)+$"}}}'
    const url = await answering(200, JSON.stringify({ id: 1, schemaType: 'JSON', schema }))
    const payload = JSON.stringify({ id: `${'a'.repeat(50_000)}!` })
    expect(await codeOf(open('any', { url }), payload)).toBe('permanent event_refused')
  })
})

describe('the registry', () => {
  it('does not have the subject', async () => {
    expect(await codeOf(open('nobody'))).toBe('permanent target_not_found')
  })

  it.each([
    [401, 'permanent credentials_rejected'],
    [429, 'retryable throttled'],
    [503, 'retryable target_failed'],
    [302, 'retryable target_failed'],
  ])('answers %d: %s', async (status, code) => {
    expect(await codeOf(open('any', { url: await answering(status) }))).toBe(code)
  })

  it('is none', async () => {
    expect(await codeOf(open('any', { url: await answering(200, '<html>') }))).toBe(
      'retryable protocol_error',
    )
  })

  it('is not asked where that is not allowed', async () => {
    const network = new Network({
      allowedNetworks: [],
      allowedNames: [],
      allowedPorts: [],
      allowsPlainHttp: true,
    })
    expect(await codeOf(open('any', {}, network))).toBe('permanent address_blocked')
  })
})

describe('a destination with a schema registry', () => {
  beforeAll(() => brokers.start())
  afterAll(() => brokers.stop())

  it('writes what others decode, and refuses alone what does not fit', async () => {
    await register(`${TOPIC}-value`, 'AVRO', AVRO_ORDER)
    const settings = brokers.settings({ schema_registry_url: target.url, format: 'cloudevents_binary' })
    const valid = kafka.validate(settings)
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    expect(kafka.addresses(valid.value).map(({ path }) => path)).toEqual([
      'config.brokers',
      'config.schema_registry_url',
    ])
    const sender = kafka.open(valid.value, testTools())
    const send = (payload: string, id = anEventMeta().id) =>
      sender.send(
        { meta: anEventMeta({ id }), payload: Buffer.from(payload) },
        { number: 1, deliveryId: 'dlv_1' },
        new AbortController().signal,
      )
    const { id } = anEventMeta()
    const outcomes = await Promise.all([send('{"id":"o-1","total":7}', id), send('{"id":7}')])
    expect(outcomes.map(({ code }) => code)).toEqual(['accepted', 'event_refused'])
    const message = await eventually(() =>
      brokers.messages.find(({ headers }) => String(headers?.['ce_id']) === id),
    )
    expect(String(message.headers?.['content-type'])).toBe('application/avro')
    expect(await client.decode(message.value ?? Buffer.alloc(0))).toMatchObject({ id: 'o-1', total: 7 })
    await sender.close()
  })
})

/** Last: nobody starts it again. */
describe('the registry that was there', () => {
  it('is away: retryable, and what is known stays in use', async () => {
    await register('staying', 'JSON', ANY_OBJECT)
    const registry = open('staying')
    expect(await codeOf(registry)).toBe('encoded')
    await target.stop()
    nowMs += 60_000
    expect(await codeOf(registry)).toBe('encoded')
    expect(await codeOf(open('staying'))).toBe('retryable connection_refused')
  })
})
