import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { findDriver, LOOPBACK_RULES, Network, type Driver } from '@barnabas/drivers'
import { anEventMeta, eventually, startReceiver } from '@barnabas/testing'

const DOCUMENT = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8')

const TOOLS = { network: new Network(LOOPBACK_RULES), endpoints: new Map<string, string>() }
const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }

/** The program that the document shows. */
function example(): string {
  const [, code] = /```js\n(.*?)```/s.exec(DOCUMENT) ?? []
  if (code === undefined) throw new Error('docs/webhooks.md shows no program')
  return code
}

interface Program {
  readonly url: string
  readonly printed: () => string
}

describe('the program in docs/webhooks.md', () => {
  const running: ChildProcess[] = []
  afterEach(async () => {
    for (const child of running.splice(0)) {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  })

  async function start(keys: string): Promise<Program> {
    const env = { PATH: '', PORT: '0', WEBHOOK_KEYS: keys }
    const child = spawn(process.execPath, ['--input-type=module'], { env })
    running.push(child)
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stdin.end(example())
    const port = await eventually(() => /^listening (\d+)$/m.exec(printed)?.[1], { timeoutMs: 20_000 })
    return { url: `http://127.0.0.1:${port}/`, printed: () => printed }
  }

  /** Sends as the product does, and answers with the code of the outcome. */
  async function deliver(
    { url }: Program,
    config: Record<string, string>,
    given: Record<string, unknown>,
  ): Promise<string> {
    const driver = findDriver('webhook') as Driver
    const { credentials } = driver.completeCredentials(given, config)
    const valid = driver.validate({ config: { url, ...config }, credentials })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const sender = driver.open(valid.value, TOOLS)
    const event = { meta: anEventMeta({ id: 'evt_1' as never }), payload: Buffer.from('{"a":  "ü"}') }
    const { code } = await sender.send(event, ATTEMPT, new AbortController().signal)
    await sender.close()
    return code
  }

  const secretOf = (config: Record<string, string>): Record<string, string> =>
    findDriver('webhook')?.completeCredentials({}, config).credentials as Record<string, string>

  it.each(['v1', 'v1a'])(
    'takes what is signed with %s, and nothing that another key signed',
    async (signature) => {
      const config = { signature }
      const credentials = secretOf(config)
      const { public_key: publicKey } = findDriver('webhook')?.maskCredentials(credentials) ?? {}
      const program = await start(publicKey ?? credentials['secret'] ?? '')
      expect(await deliver(program, config, credentials)).toBe('http_204')
      expect(await deliver(program, config, {})).toBe('http_401')
      await eventually(() => program.printed().includes('evt_1 {"a":  "ü"}'))
    },
  )

  it('takes a request that was signed during a rotation, with the old key and with the new', async () => {
    const [old, current] = [secretOf({}), secretOf({})]
    const rotated = {
      ...current,
      previous_secret: old['secret'],
      previous_secret_invalid_at: new Date(Date.now() + 60_000).toISOString(),
    }
    for (const { secret = '' } of [old, current])
      expect(await deliver(await start(secret), {}, rotated)).toBe('http_204')
  })

  describe('when requests are forged', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const body = '{"test": 2432232314}'
    const genuine = (ageSeconds = 0, text = body): Record<string, string> => {
      const at = new Date(Date.now() - ageSeconds * 1_000)
      return {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(secret).sign('msg_1', at, text),
      }
    }
    const without = (name: string) =>
      Object.fromEntries(Object.entries(genuine()).filter(([one]) => one !== name))
    const signature = () => genuine()['webhook-signature'] ?? ''

    const post = async ({ url }: Program, headers: Record<string, string>, text: string): Promise<number> => {
      const sent = request(url, { method: 'POST', headers: { ...headers, connection: 'close' } }).end(text)
      const [answer] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }]
      answer.resume()
      return answer.statusCode
    }

    it('takes the genuine ones alone', async () => {
      const program = await start(secret)
      const cases: [string, Record<string, string>, string, number][] = [
        ['genuine', genuine(), body, 204],
        ['with an empty body', genuine(0, ''), '', 204],
        [
          'with one good signature among others',
          { ...genuine(), 'webhook-signature': `v1,eA== v2,x ${signature()}` },
          body,
          204,
        ],
        // The limit is five minutes; a busy machine may take seconds to come to the request.
        ['less than five minutes old', genuine(270), body, 204],
        ['more than five minutes old', genuine(302), body, 401],
        ['more than five minutes ahead', genuine(-330), body, 401],
        ['without an id', without('webhook-id'), body, 401],
        ['without a timestamp', without('webhook-timestamp'), body, 401],
        ['without a signature', without('webhook-signature'), body, 401],
        ['with a timestamp that is no number', { ...genuine(), 'webhook-timestamp': 'now' }, body, 401],
        ['with another body', genuine(), `${body} `, 401],
        ['with another id', { ...genuine(), 'webhook-id': 'msg_2' }, body, 401],
        ['with half a signature', { ...genuine(), 'webhook-signature': signature().slice(0, 8) }, body, 401],
        ['with a version alone', { ...genuine(), 'webhook-signature': 'v1,' }, body, 401],
        [
          'with an unknown version',
          { ...genuine(), 'webhook-signature': signature().replace('v1,', 'v2,') },
          body,
          401,
        ],
        [
          'with the version of the other scheme',
          { ...genuine(), 'webhook-signature': signature().replace('v1,', 'v1a,') },
          body,
          401,
        ],
      ]
      for (const [name, headers, text, status] of cases)
        expect([name, await post(program, headers, text)]).toEqual([name, status])
    })
  })
})

/** What every HTTP request has. */
const OF_HTTP = ['host', 'connection', 'content-length']

describe('docs/webhooks.md', () => {
  it('names every header that a request carries, and no other', async () => {
    const receiver = await startReceiver()
    const driver = findDriver('webhook')
    const valid = driver?.validate({
      config: { url: receiver.url() },
      credentials: driver.completeCredentials({}).credentials,
    })
    if (!driver || !valid?.ok) throw new Error('not valid')
    const meta = anEventMeta({
      metadata: { one: '1' },
      source: '/s',
      sourceId: '1',
      traceparent: '00-a-b-01',
    })
    const sender = driver.open(valid.value, TOOLS)
    await sender.send({ meta, payload: Buffer.from('{}') }, ATTEMPT, new AbortController().signal)
    await sender.close()
    await receiver.stop()
    const sent = Object.keys(receiver.received[0]?.headers ?? {}).filter((name) => !OF_HTTP.includes(name))
    const [table = ''] = DOCUMENT.split('## Verifying a request')
    const stated = [...table.matchAll(/^\| `([a-z<>-]+)`/gm)].map(([, name]) =>
      name?.replace('<name>', 'one'),
    )
    expect(stated.sort()).toEqual(sent.sort())
  })

  it('names every format', () => {
    const fields = findDriver('webhook')?.catalogue.config_fields ?? []
    const formats = fields.find(({ key }) => key === 'format')?.options ?? []
    expect(formats).toHaveLength(3)
    for (const { value } of formats) expect(DOCUMENT).toContain(`| \`${value}\``)
  })
})
