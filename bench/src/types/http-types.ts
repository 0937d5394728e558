import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { Worker } from '@barnabas/tools'
import type { BareClient, BenchType, RunningTarget, TargetInfo } from './bench-type.js'
import { metadataOf, type Sample } from './events.js'
import type { Answer, HttpDoubleCommands } from './targets/http-double.js'

const DOUBLE_FILE = new URL('./targets/http-double.js', import.meta.url)
const EMPTY: Answer = { status: 200, contentType: 'application/json', body: '{}' }
/** As many as events are in flight, which is as many as our sender opens. */
const CONNECTIONS = 64
const MILLISECONDS = 1_000

interface Request {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | string
}

/** undici's pool and nothing else: posts, reads the answer to its end, and wants 2xx. */
async function openPool(url: string, requestOf: (sample: Sample) => Request): Promise<BareClient> {
  const { Pool } = await import('undici')
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 })
  return {
    send: ([sample]) => (sample ? post(requestOf(sample)) : Promise.resolve()),
    close: () => pool.close(),
  }

  async function post(request: Request): Promise<void> {
    const { statusCode, body } = await pool.request({ method: 'POST', ...request })
    await body.dump()
    if (statusCode > 299) throw new Error(`the double answered ${statusCode}`)
  }
}

/** A double that gives every request this answer. */
async function startDouble(
  answer: Answer,
  told: (url: string) => Pick<TargetInfo, 'settings' | 'endpoints'>,
): Promise<RunningTarget> {
  const worker = await Worker.start<HttpDoubleCommands>(DOUBLE_FILE)
  const { url } = await worker.ask('listen', answer)
  return { info: { ...told(url), address: url }, stop: () => worker.stop() }
}

const prefixed = (prefix: string, metadata: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).map(([name, value]) => [prefix + name, value]))

const SIGNING_KEY = randomBytes(32)

const webhook: BenchType = {
  type: 'webhook',
  bareDoes: 'undici: POST with HMAC',
  perCall: 1,
  start: () =>
    startDouble(EMPTY, (url) => ({ settings: { config: { url }, credentials: {} }, endpoints: {} })),
  openBare: (url) => {
    const key = createSecretKey(SIGNING_KEY)
    return openPool(url, (sample) => {
      const { meta, payload } = sample.event
      const seconds = String(Math.floor(Date.now() / MILLISECONDS))
      const hmac = createHmac('sha256', key).update(`${meta.id}.${seconds}.`).update(payload)
      const headers = {
        'content-type': meta.contentType,
        'webhook-id': meta.id,
        'webhook-timestamp': seconds,
        'webhook-signature': `v1,${hmac.digest('base64')}`,
        ...prefixed('x-barnabas-', metadataOf(sample)),
      }
      return { path: '/', headers, body: payload }
    })
  },
}

const HOOKDECK_TOKEN = Buffer.from('src_1:a secret').toString('base64')

const hookdeck: BenchType = {
  type: 'hookdeck',
  bareDoes: 'undici: POST with HMAC',
  perCall: 1,
  start: () =>
    startDouble({ ...EMPTY, body: '{"status":"SUCCESS"}' }, (url) => ({
      settings: { config: {}, credentials: { token: HOOKDECK_TOKEN } },
      endpoints: { hookdeck: url },
    })),
  openBare: (url) =>
    openPool(url, (sample) => {
      const { meta, payload } = sample.event
      const signature = createHmac('sha256', HOOKDECK_TOKEN).update(payload).digest('base64')
      const headers = {
        'content-type': meta.contentType,
        'x-hookdeck-signature': `v0=${signature}`,
        ...prefixed('x-outpost-', metadataOf(sample)),
      }
      return { path: '/src_1', headers, body: payload }
    }),
}

/** What messages for people say: topic, id, time and data. */
const textOf = ({ event: { meta, payload } }: Sample): string =>
  `${meta.topic}\n${meta.id} ${meta.time}\n${payload.toString()}`

const SLACK_PATH = '/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx'

const slack: BenchType = {
  type: 'slack',
  bareDoes: 'undici: POST of JSON',
  perCall: 1,
  start: () =>
    startDouble({ status: 200, contentType: 'text/html', body: 'ok' }, (url) => ({
      settings: { config: {}, credentials: { webhook_url: `https://hooks.slack.com${SLACK_PATH}` } },
      endpoints: { slack: url },
    })),
  openBare: (url) =>
    openPool(url, (sample) => ({
      path: SLACK_PATH,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: textOf(sample), unfurl_links: false, unfurl_media: false }),
    })),
}

const ACCOUNT = `AC${'0'.repeat(32)}`
const SMS_TOKEN = 'f'.repeat(32)
const [TO, FROM] = ['+4915112345678', '+15005550006']
/** Of one message, beyond which our sender cuts the text. */
const SMS_CHARACTERS = 160

const sms: BenchType = {
  type: 'sms',
  bareDoes: 'undici: POST of a form',
  perCall: 1,
  start: () =>
    startDouble({ ...EMPTY, status: 201, body: '{"sid":"SM1","status":"queued"}' }, (url) => ({
      settings: {
        config: { account_sid: ACCOUNT, to: TO, from: FROM },
        credentials: { auth_token: SMS_TOKEN },
      },
      endpoints: { sms: url },
    })),
  openBare: (url) => {
    const login = Buffer.from(`${ACCOUNT}:${SMS_TOKEN}`).toString('base64')
    return openPool(url, (sample) => ({
      path: `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
      headers: { authorization: `Basic ${login}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        To: TO,
        From: FROM,
        Body: textOf(sample).slice(0, SMS_CHARACTERS),
      }).toString(),
    }))
  },
}

const ROUTING_KEY = 'a'.repeat(32)

const pagerduty: BenchType = {
  type: 'pagerduty',
  bareDoes: 'undici: POST of JSON',
  perCall: 1,
  start: () =>
    startDouble({ ...EMPTY, status: 202, body: '{"status":"success"}' }, (url) => ({
      settings: { config: {}, credentials: { routing_key: ROUTING_KEY } },
      endpoints: { pagerduty: url },
    })),
  openBare: (url) =>
    openPool(url, ({ event: { meta, payload } }) => ({
      path: '/v2/enqueue',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        routing_key: ROUTING_KEY,
        event_action: 'trigger',
        dedup_key: meta.id,
        payload: {
          summary: `${meta.topic} ${meta.id}`,
          severity: 'error',
          source: 'bench',
          class: meta.topic,
          timestamp: meta.time,
          custom_details: JSON.parse(payload.toString()) as object,
        },
      }),
    })),
}

export const httpTypes: readonly BenchType[] = [webhook, hookdeck, slack, sms, pagerduty]
