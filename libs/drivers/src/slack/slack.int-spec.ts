import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { anEventMeta, type Answer, type Received } from '@barnabas/testing'
import type { EventMeta } from '@barnabas/domain'
import type { Arrived, DriverHarness } from '../testing/describe-driver.js'
import { describeDriver } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { testTools } from '../testing/test-tools.js'
import { VendorDouble } from '../testing/vendor-double.js'
import { slack } from './slack.driver.js'

const PATH = '/services/T0001/B0001/abcdefghijklmnopqrstuvwx'
const URL_OF_WEBHOOK = `https://hooks.slack.com${PATH}`
const OLD_PATH = '/services/T0001/B0000/zyxwvutsrqponmlkjihgfedc'
/** Of the webhooks that there are. */
const paths = new Set([PATH, OLD_PATH])

/** Unescaped angle brackets would be links or mentions: https://docs.slack.dev/messaging/formatting-message-text */
const escaped = z.string().regex(/^(?:[^&<>]|&(?:amp|lt|gt);)*$/)
const header = z.strictObject({
  type: z.literal('header'),
  text: z.strictObject({
    type: z.literal('plain_text'),
    text: escaped.min(1).max(150),
    emoji: z.boolean().optional(),
  }),
})
const section = z.strictObject({
  type: z.literal('section'),
  text: z.strictObject({
    type: z.literal('mrkdwn'),
    text: escaped.min(1).max(3_000),
    verbatim: z.boolean().optional(),
  }),
})
/** What an incoming webhook takes of the documented message payload. */
const message = z
  .strictObject({
    text: escaped.min(1).max(40_000),
    unfurl_links: z.boolean().optional(),
    unfurl_media: z.boolean().optional(),
    blocks: z
      .array(z.discriminatedUnion('type', [header, section]))
      .max(50)
      .optional(),
  })
  .refine(({ blocks = [] }) => blocks.reduce((sum, one) => sum + one.text.text.length, 0) <= 13_200)

type Message = z.infer<typeof message>

const messageIn = ({ body }: Received): Message => JSON.parse(body.toString('utf8')) as Message

/** Answers as https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks says. */
function slackAnswers(request: Received): Answer {
  if (request.method !== 'POST') return { status: 405 }
  if (!request.path.startsWith('/services/T0001/')) return { status: 404, body: 'no_team' }
  if (!paths.has(request.path)) return { status: 403, body: 'invalid_token' }
  const isJson = request.headers['content-type']?.startsWith('application/json')
  const isMessage = isJson && message.safeParse(messageIn(request)).success
  return isMessage ? { status: 200, body: 'ok' } : { status: 400, body: 'invalid_payload' }
}

const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

class SlackHarness implements DriverHarness {
  readonly double = new VendorDouble(slackAnswers)

  readonly invalid: DriverHarness['invalid'] = {
    'credentials.webhook_url': (valid) => ({
      ...valid,
      credentials: { webhook_url: 'https://hooks.slack.com.example.com/services/T/B/x' },
    }),
    'config.text_template': (valid) => ({ ...valid, config: { text_template: 'data.' } }),
    'config.header_template': (valid) => ({ ...valid, config: { header_template: 'nothing(data)' } }),
    'config.channel': (valid) => ({ ...valid, config: { channel: '#general' } }),
  }

  start = () => this.double.start()
  stop = () => this.double.stop()
  restart = () => this.double.restart()
  becomeSlow = () => this.double.becomeSlow()
  becomeQuick = () => this.double.becomeQuick()
  settings = () => ({ config: {}, credentials: { webhook_url: URL_OF_WEBHOOK } })

  /** The double is the only address that there is: what nobody listens at is named by the tools. */
  private isUnreachable = false

  unreachable() {
    this.isUnreachable = true
    return this.settings()
  }

  tools() {
    const tools = testTools({ slack: this.isUnreachable ? 'http://127.0.0.1:1' : this.double.url })
    this.isUnreachable = false
    return tools
  }

  badCredentials() {
    const credentials = { webhook_url: `${URL_OF_WEBHOOK}y` }
    return { settings: { config: {}, credentials }, code: 'credentials_rejected' as const }
  }

  rotation(): Rotation {
    return {
      before: { config: {}, credentials: { webhook_url: `https://hooks.slack.com${OLD_PATH}` } },
      after: this.settings(),
      retire: () => void paths.delete(OLD_PATH),
      refusal: 'credentials_rejected',
    }
  }

  carried({ meta, payload }: { meta: EventMeta; payload: Buffer }) {
    const body = Buffer.from(`${meta.topic}\n${meta.id} ${meta.time}\n${payload.toString()}`)
    return { body, metadata: {} }
  }

  arrived(): readonly Arrived[] {
    return this.double.taken.map((request) => {
      const text = unescaped(messageIn(request).text)
      return { body: Buffer.from(text), metadata: {}, eventId: /^(evt_\S+)/m.exec(text)?.[1] ?? '' }
    })
  }
}

describeDriver(slack, new SlackHarness())

describe('a Slack destination', () => {
  const double = new VendorDouble(slackAnswers)
  beforeAll(() => double.start())
  afterAll(() => double.stop())

  async function send(config: Record<string, string>, payload: unknown, answer?: Answer) {
    if (answer) double.answerNext(answer)
    const valid = slack.validate({ config, credentials: { webhook_url: URL_OF_WEBHOOK } })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const sender = slack.open(valid.value, testTools({ slack: double.url }))
    const event = { meta: anEventMeta(), payload: Buffer.from(JSON.stringify(payload)) }
    const outcome = await sender.send(event, { number: 1, deliveryId: 'd' }, new AbortController().signal)
    await sender.close()
    const last = double.taken.at(-1)
    return { outcome, message: last && messageIn(last) }
  }

  it('shows mentions and links in the data as text', async () => {
    const { outcome, message } = await send({ text_template: 'data.name' }, { name: '<!channel> & <@U1>' })
    expect(outcome.kind).toBe('delivered')
    expect(message?.text).toBe('&lt;!channel&gt; &amp; &lt;@U1&gt;')
  })

  it('puts a header above the text, and sends as many sections as Slack takes', async () => {
    const config = { header_template: 'data.title', text_template: 'data.text' }
    const { outcome, message } = await send(config, {
      title: `a\nb ${'<'.repeat(200)}`,
      text: '<'.repeat(9_000),
    })
    expect(outcome.kind).toBe('delivered')
    expect(message?.blocks?.map(({ type }) => type)).toEqual(['header', ...Array<string>(4).fill('section')])
    expect(message?.blocks?.[0]?.text.text).toMatch(/^a b (&lt;)+…$/)
    expect(message?.blocks?.at(-1)?.text.text).toMatch(/;…$/)
  })

  it('cuts a text that is longer than Slack takes', async () => {
    const { outcome, message } = await send({ text_template: 'data.text' }, { text: '&'.repeat(16_000) })
    expect(outcome.kind).toBe('delivered')
    expect(message?.text).toMatch(/^(&amp;)+…$/)
  })

  it('fails for good when a template gives nothing for the event', async () => {
    const { outcome } = await send({ text_template: 'data.text' }, { n: 1 })
    expect(outcome).toMatchObject({
      kind: 'permanent',
      code: 'template_failed',
      detail: 'The text template gives nothing for this event.',
    })
  })

  it('waits as long as Slack asks', async () => {
    const { outcome } = await send(
      {},
      {},
      { status: 429, headers: { 'retry-after': '30' }, body: 'rate_limited' },
    )
    expect(outcome).toMatchObject({ kind: 'retryable', code: 'throttled', retryAfterMs: 30_000 })
  })

  it.each([
    [400, 'invalid_payload', 'permanent', 'event_refused'],
    [403, 'action_prohibited', 'permanent', 'credentials_rejected'],
    [404, 'channel_not_found', 'permanent', 'target_not_found'],
    [410, 'channel_is_archived', 'permanent', 'target_not_found'],
    [500, 'rollup_error', 'retryable', 'http_500'],
    [302, '', 'retryable', 'http_302'],
  ])('takes %d %s as %s, %s', async (status, body, kind, code) => {
    const { outcome } = await send({}, {}, { status, body })
    expect(outcome).toMatchObject({ kind, code, response: { status } })
  })
})
