import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { anEventMeta, type Answer, type Received } from '@barnabas/testing'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { OutgoingEvent } from '../driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { testTools } from '../testing/test-tools.js'
import { VendorDouble } from '../testing/vendor-double.js'
import { sms } from './sms.driver.js'

const ACCOUNT = `AC${'0'.repeat(32)}`
const KEY = `SK${'1'.repeat(32)}`
const SERVICE = `MG${'2'.repeat(32)}`
const TOKEN = 'a-token'
const OLD_TOKEN = 'an-older-token'
/** Twilio has a primary and a secondary one: https://www.twilio.com/docs/iam/api/authtoken */
const tokens = new Set([TOKEN, OLD_TOKEN])
const UNKNOWN_NUMBER = '+15005550001'
const SETTINGS = {
  config: { account_sid: ACCOUNT, to: '+4915112345678', from: '+15005550006' },
  credentials: { auth_token: TOKEN },
}

/** After CreateMessage in Twilio's published OpenAPI and its documentation of the message resource. */
const form = z
  .strictObject({
    To: z.string().regex(/^\+[1-9]\d{1,14}$/),
    From: z.string().min(1).optional(),
    MessagingServiceSid: z
      .string()
      .regex(/^MG[0-9a-fA-F]{32}$/)
      .optional(),
    Body: z.string().min(1).max(1_600),
  })
  .refine(({ From, MessagingServiceSid }) => (From === undefined) !== (MessagingServiceSid === undefined))

const formIn = ({ body }: Received) => Object.fromEntries(new URLSearchParams(body.toString('utf8')))

const refusal = (status: number, code: number): Answer => ({
  status,
  body: JSON.stringify({
    code,
    message: 'refused',
    more_info: `https://www.twilio.com/docs/errors/${code}`,
    status,
  }),
})

/** Answers as https://www.twilio.com/docs/api/errors says. */
function twilioAnswers(request: Received): Answer {
  const { authorization = '' } = request.headers
  const signedIn = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString('utf8')
  const [user = '', token = ''] = signedIn.split(':')
  if (![ACCOUNT, KEY].includes(user) || !tokens.has(token)) return refusal(401, 20003)
  if (request.path !== `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`) return refusal(404, 20404)
  const read = form.safeParse(formIn(request))
  if (!read.success) return refusal(400, 21602)
  if (read.data.To === UNKNOWN_NUMBER) return refusal(400, 21211)
  return {
    status: 201,
    body: JSON.stringify({ sid: `SM${'3'.repeat(32)}`, status: 'queued', error_code: null }),
  }
}

class SmsHarness implements DriverHarness {
  readonly double = new VendorDouble(twilioAnswers)
  private isUnreachable = false

  readonly invalid: DriverHarness['invalid'] = {
    'config.to': (valid) => ({ ...valid, config: { ...valid.config, to: '0151 12345678' } }),
    'config.from': (valid) => ({ ...valid, config: { ...valid.config, from: 'a name too long' } }),
    'config.account_sid': (valid) => ({ ...valid, config: { ...valid.config, account_sid: '../x' } }),
    'credentials.auth_token': (valid) => ({ ...valid, credentials: {} }),
  }

  start = () => this.double.start()
  stop = () => this.double.stop()
  restart = () => this.double.restart()
  becomeSlow = () => this.double.becomeSlow()
  becomeQuick = () => this.double.becomeQuick()
  settings = () => SETTINGS

  unreachable() {
    this.isUnreachable = true
    return this.settings()
  }

  tools() {
    const tools = testTools({ sms: this.isUnreachable ? 'http://127.0.0.1:1' : this.double.url })
    this.isUnreachable = false
    return tools
  }

  badCredentials() {
    const settings = { ...SETTINGS, credentials: { auth_token: 'another' } }
    return { settings, code: 'credentials_rejected' as const }
  }

  rotation(): Rotation {
    return {
      before: { ...SETTINGS, credentials: { auth_token: OLD_TOKEN } },
      after: SETTINGS,
      retire: () => void tokens.delete(OLD_TOKEN),
      refusal: 'credentials_rejected',
    }
  }

  carried({ meta, payload }: OutgoingEvent) {
    const body = Buffer.from(`${meta.topic}\n${meta.id} ${meta.time}\n${payload.toString()}`)
    return { body, metadata: {} }
  }

  arrived(): readonly Arrived[] {
    return this.double.taken.map((request) => {
      const text = formIn(request)['Body'] ?? ''
      return { body: Buffer.from(text), metadata: {}, eventId: /^(evt_\S+)/m.exec(text)?.[1] ?? '' }
    })
  }
}

describeDriver(sms, new SmsHarness())

describe('an SMS destination', () => {
  const double = new VendorDouble(twilioAnswers)
  beforeAll(() => double.start())
  afterAll(() => double.stop())

  async function send(config: Record<string, string>, payload: unknown, answer?: Answer) {
    if (answer) double.answerNext(answer)
    const valid = sms.validate({ ...SETTINGS, config: { ...SETTINGS.config, ...config } })
    if (!valid.ok) return { problems: valid.failure }
    const sender = sms.open(valid.value, testTools({ sms: double.url }))
    const event = { meta: anEventMeta(), payload: Buffer.from(JSON.stringify(payload)) }
    const outcome = await sender.send(event, { number: 1, deliveryId: 'd' }, new AbortController().signal)
    await sender.close()
    const last = double.taken.at(-1)
    return { outcome, form: last && formIn(last) }
  }

  it('sends what the template gives, any character of it, cut to what Twilio takes', async () => {
    const text = `&Body=x ü😀\r\n${'é'.repeat(3_000)}`
    const { outcome, form: sent } = await send({ text_template: 'data.text' }, { text })
    expect(outcome).toMatchObject({ kind: 'delivered', code: 'http_201' })
    expect(sent).toEqual({
      To: SETTINGS.config.to,
      From: SETTINGS.config.from,
      Body: `${text.replace('\r\n', '\n').slice(0, 1_597)}...`,
    })
  })

  it('keeps to one message when there is no template', async () => {
    const { form: sent } = await send({}, { text: 'x'.repeat(3_000) })
    expect(sent?.['Body']).toHaveLength(160)
  })

  it('lets a messaging service choose the sender, and signs in with an API key', async () => {
    const { outcome, form: sent } = await send(
      { from: '', messaging_service_sid: SERVICE, api_key_sid: KEY },
      {},
    )
    expect(outcome?.kind).toBe('delivered')
    expect(sent).toMatchObject({ MessagingServiceSid: SERVICE })
  })

  it('takes numbers, short codes and names as senders, and no number without its country', async () => {
    for (const from of ['12345', 'Shop 24', '24 Shop'])
      expect((await send({ from }, {})).outcome?.kind).toBe('delivered')
    for (const from of ['015112345678', '123456789', '+0151'])
      expect((await send({ from }, {})).problems?.map(({ path }) => path)).toEqual(['config.from'])
  })

  it('needs one sender, and not two', async () => {
    for (const config of [
      { from: '', messaging_service_sid: '' },
      { from: '+15005550006', messaging_service_sid: SERVICE },
    ])
      expect((await send(config, {})).problems?.map(({ path }) => path)).toEqual(['config.from'])
  })

  it('fails for good when the number does not exist', async () => {
    const { outcome } = await send({ to: UNKNOWN_NUMBER }, {})
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'target_not_found', response: { status: 400 } })
  })

  it.each([
    [refusal(429, 20429), 'retryable', 'throttled'],
    [refusal(400, 30022), 'permanent', 'event_refused'],
    [refusal(500, 20500), 'retryable', 'http_500'],
  ])('takes the answer %j as %s, %s', async (answer, kind, code) => {
    expect((await send({}, {}, answer)).outcome).toMatchObject({ kind, code })
  })
})
