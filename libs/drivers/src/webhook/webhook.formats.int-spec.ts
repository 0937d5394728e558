import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { HTTP, type CloudEvent } from 'cloudevents'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { anEventMeta, startReceiver, type Received, type Receiver } from '@barnabas/testing'
import { openWebhook } from './testing/open-webhook.js'
import { newSecret } from './webhook.signature.js'

const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const never = new AbortController().signal

describe('the formats of a webhook', () => {
  let receiver: Receiver
  beforeEach(async () => {
    receiver = await startReceiver()
  })
  afterEach(() => receiver.stop())

  const secret = newSecret()
  const payload = Buffer.from('{"n": 12345678901234567890}')

  async function sendAs(format: string, meta: Parameters<typeof anEventMeta>[0] = {}): Promise<Received> {
    const sender = openWebhook({ url: receiver.url(), format }, { secret })
    const outcome = await sender.send({ meta: anEventMeta(meta), payload }, ATTEMPT, never)
    await sender.close()
    expect(outcome.kind).toBe('delivered')
    const received = receiver.received.at(-1)
    if (!received) throw new Error('nothing arrived')
    return received
  }

  const read = ({ headers, body }: Received) =>
    HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>

  it.each(['cloudevents_binary', 'cloudevents_structured'])(
    'sends %s, as the CloudEvents library reads it, signed',
    async (format) => {
      const received = await sendAs(format, { source: '/shop', sourceId: 'No-1', topic: 'order.paid' })
      expect(read(received)).toMatchObject({ id: 'No-1', source: '/shop', type: 'order.paid' })
      expect(received.body.toString()).toContain(payload.toString())
      const headers = received.headers as Record<string, string>
      const verify = () => new Webhook(secret).verify(received.body.toString(), headers, { jsonParse: false })
      expect(verify).not.toThrow()
    },
  )

  it('sends the payload as it is unless told otherwise', async () => {
    const received = await sendAs('payload')
    expect(received.body).toEqual(payload)
    expect(Object.keys(received.headers).filter((name) => name.startsWith('ce-'))).toEqual([])
  })

  it('says in every format which event it is', async () => {
    for (const format of ['payload', 'cloudevents_binary', 'cloudevents_structured'])
      expect((await sendAs(format, { id: 'evt_7' as never })).headers).toMatchObject({
        'x-barnabas-event-id': 'evt_7',
        'webhook-id': 'evt_7',
      })
  })
})

describe('the bytes of a request', () => {
  let server: Server
  let heads: string[]
  beforeEach(async () => {
    heads = []
    server = createServer((socket) => {
      let text = ''
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        if (!text.includes('\r\n\r\n')) return
        heads.push(text.slice(0, text.indexOf('\r\n\r\n')))
        socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => new Promise((resolve) => server.close(resolve)))

  it('have one line for each header, whatever an event holds', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const sender = openWebhook({ url, format: 'cloudevents_binary' })
    const text = fc.string({ unit: 'binary', maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(text, text, async (one, two) => {
        const meta = { topic: one, source: two, sourceId: one, metadata: { one, two }, contentType: two }
        await sender.send({ meta: anEventMeta(meta), payload: Buffer.from('{}') }, ATTEMPT, never)
        const [, ...lines] = (heads.at(-1) ?? '').split('\r\n')
        for (const line of lines) expect(line).toMatch(/^[A-Za-z0-9-]+: [\x20-\x7e]*$/)
        const names = lines.map((line) => line.split(':')[0]?.toLowerCase())
        expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
      }),
      { numRuns: 60 },
    )
    expect(heads.length).toBeGreaterThanOrEqual(60)
    await sender.close()
  })
})
