import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { EventMeta } from '@barnabas/domain'
import { anEventMeta } from '@barnabas/testing'
import type { OutgoingEvent, RawSettings, SenderTools } from '../driver.js'
import { Network } from '../network/network.js'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import {
  MailServer,
  readMail,
  selfSigned,
  unencoded,
  type Refuse,
  type Step,
} from '../testing/mail-server.js'
import { testTools } from '../testing/test-tools.js'
import { email } from './email.driver.js'

const FROM = 'events@shop.example'
const TO = 'on-call@example.com'
const LOGIN = { username: MailServer.user.name, password: MailServer.user.password }

const settingsOf = (server: MailServer, config: Readonly<Record<string, string>> = {}): RawSettings => ({
  config: { server: server.address, ca_certificate: server.authority, from: FROM, to: TO, ...config },
  credentials: LOGIN,
})

class MailHarness implements DriverHarness {
  private readonly server = new MailServer({ tls: 'starttls' })

  readonly invalid: DriverHarness['invalid'] = {
    'config.server': (valid) => ({ ...valid, config: { ...valid.config, server: 'smtp.example.com' } }),
    'config.tls': (valid) => ({ ...valid, config: { ...valid.config, tls: 'maybe' } }),
    'config.from': (valid) => ({ ...valid, config: { ...valid.config, from: 'a@b.c>\r\nBcc: x@y.z' } }),
    'config.from_name': (valid) => ({ ...valid, config: { ...valid.config, from_name: 'a\r\nBcc: x@y.z' } }),
    'config.to': (valid) => ({ ...valid, config: { ...valid.config, to: `${TO}, a b@example.com` } }),
    'config.ca_certificate': (valid) => ({ ...valid, config: { ...valid.config, ca_certificate: 'PEM' } }),
    'config.subject_template': (valid) => ({ ...valid, config: { ...valid.config, subject_template: '(' } }),
    'credentials.password': (valid) => ({ ...valid, credentials: { username: 'events' } }),
  }

  start = () => this.server.start()
  stop = () => this.server.stop()
  restart = () => this.server.restart()
  becomeSlow = () => this.server.becomeSlow()
  becomeQuick = () => this.server.becomeQuick()
  settings = () => settingsOf(this.server)
  unreachable = () => settingsOf(this.server, { server: '127.0.0.1:1' })

  badCredentials() {
    const settings = { ...this.settings(), credentials: { ...LOGIN, password: 'another' } }
    return { settings, code: 'credentials_rejected' as const }
  }

  rotation(): Rotation {
    const { users } = this.server
    users.set('old', 'an-older-password')
    return {
      before: { ...this.settings(), credentials: { username: 'old', password: 'an-older-password' } },
      after: this.settings(),
      retire: () => void users.delete('old'),
      refusal: 'credentials_rejected',
    }
  }

  carried({ meta, payload }: OutgoingEvent) {
    const body = Buffer.from(`${meta.topic}\n${meta.id} ${meta.time}\n${payload.toString()}`)
    return { body, metadata: {} }
  }

  arrived(): readonly Arrived[] {
    return this.server.arrivals.map(({ raw }) => {
      const { headers, text } = readMail(raw)
      const eventId = headers.get('x-barnabas-event-id') ?? ''
      return { body: Buffer.from(text), metadata: {}, eventId }
    })
  }
}

describeDriver(email, new MailHarness())

interface Sending {
  readonly server: MailServer
  readonly settings?: RawSettings
  readonly payload?: unknown
  readonly meta?: Partial<EventMeta>
  readonly attempts?: number
  readonly tools?: SenderTools
}

/** Sends one event as often as there are attempts, over one sender; the outcome of the last, and what came. */
async function send({ server, settings, payload = {}, meta = {}, attempts = 1, tools }: Sending) {
  const valid = email.validate(settings ?? settingsOf(server))
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  const sender = email.open(valid.value, tools ?? testTools())
  const event = { meta: anEventMeta(meta), payload: Buffer.from(JSON.stringify(payload)) }
  const before = server.arrivals.length
  const outcomes = []
  for (let number = 1; number <= attempts; number++)
    outcomes.push(await sender.send(event, { number, deliveryId: 'dlv_1' }, new AbortController().signal))
  await sender.close()
  const arrivals = server.arrivals.slice(before)
  return { outcome: outcomes.at(-1), arrivals, mails: arrivals.map(({ raw }) => readMail(raw)) }
}

describe('an email destination', () => {
  const server = new MailServer({ tls: 'starttls' })
  beforeAll(() => server.start())
  afterAll(() => server.stop())

  it('logs in and sends over TLS', async () => {
    const { outcome, arrivals } = await send({ server })
    expect(outcome).toMatchObject({ kind: 'delivered', code: 'accepted' })
    expect(arrivals).toMatchObject([{ from: FROM, to: [TO], isSecure: true, user: LOGIN.username }])
  })

  it('has headers that tell programs what it is, the same Message-ID on every attempt', async () => {
    const { mails } = await send({ server, attempts: 2 })
    const [first, second] = mails.map(({ headers }) => headers)
    expect(first?.get('message-id')).toMatch(/^<[0-9a-f]{40}@shop\.example>$/)
    expect(second?.get('message-id')).toBe(first?.get('message-id'))
    expect(second?.get('x-barnabas-attempt')).toBe('2')
    expect(first?.get('auto-submitted')).toBe('auto-generated')
    expect(first?.has('x-mailer')).toBe(false)
  })

  it('lets no text of the event make a header, or a second mail', async () => {
    const evil = 'Hi\r\nBcc: x@example.com\u2028Cc: y@example.com\u0085To: z@example.com\n\n.\r\nQUIT\r\n'
    const config = {
      subject_template: 'data.evil',
      text_template: 'data.evil',
      from_name: 'Shop "<a@b.c>, ü',
    }
    const { arrivals, mails } = await send({
      server,
      settings: settingsOf(server, config),
      payload: { evil },
      meta: { topic: 'ü\r\nBcc: x@example.com', id: 'evt\n\nboo' as never },
    })
    expect(arrivals).toHaveLength(1)
    expect(arrivals[0]?.to).toEqual([TO])
    const { names, headers, text } = mails[0] ?? readMail('')
    expect(names.filter((name) => ['bcc', 'cc', 'to', 'from', 'subject'].includes(name)).sort()).toEqual([
      'from',
      'subject',
      'to',
    ])
    expect(unencoded(headers.get('subject') ?? '')).toBe(
      'Hi Bcc: x@example.com Cc: y@example.com To: z@example.com . QUIT',
    )
    expect(unencoded(headers.get('from') ?? '')).toMatch(/ <events@shop\.example>$/)
    expect(unencoded(headers.get('x-barnabas-topic') ?? '')).toBe('ü Bcc: x@example.com')
    expect(arrivals[0]?.raw.split('\r\n\r\n')[0]).toMatch(/^[\x09\x0a\x0d\x20-\x7e]*$/)
    expect(text).toContain('\n.\nQUIT')
  })

  it('shows every character of the text in both of its parts', async () => {
    const shown = '<script>alert(1)</script> & "ü" 😀\n  two'
    const settings = settingsOf(server, { text_template: 'data.shown', subject_template: 'data.shown' })
    const { mails } = await send({ server, settings, payload: { shown } })
    expect(mails[0]?.text).toBe(shown)
    expect(mails[0]?.html).toContain('>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;ü&quot; 😀\n  two<')
    expect(unencoded(mails[0]?.headers.get('subject') ?? '')).toBe(shown.replace('\n  ', '   '))
  })

  it('keeps its connection for the next mails', async () => {
    const before = server.connections
    await send({ server, attempts: 20 })
    expect(server.connections - before).toBe(1)
  })

  it('fails for good when a template gives nothing', async () => {
    const { outcome } = await send({ server, settings: settingsOf(server, { subject_template: 'data.x' }) })
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'template_failed' })
  })

  it('is delivered when some recipients were taken, and names the others', async () => {
    server.refuseBy((step, about) => (step === 'rcpt' && about.startsWith('gone') ? 550 : null))
    const settings = settingsOf(server, { to: `${TO}, gone@example.com` })
    const { outcome, arrivals } = await send({ server, settings })
    server.refuseBy(() => null)
    expect(outcome?.kind).toBe('delivered')
    expect(arrivals[0]?.to).toEqual([TO])
    expect(outcome?.response?.body.toString()).toMatch(/^250 .*\nnot taken: gone@example\.com: 550 /)
  })

  it('tries again when all recipients were refused and one of them only for now', async () => {
    server.refuseBy((step, about) => (step !== 'rcpt' ? null : about.startsWith('gone') ? 550 : 450))
    const settings = settingsOf(server, { to: `${TO}, gone@example.com` })
    const { outcome } = await send({ server, settings })
    server.refuseBy(() => null)
    expect(outcome).toMatchObject({ kind: 'retryable', code: 'target_failed' })
  })

  it.each<[Step, number, string, string]>([
    ['connect', 421, 'retryable', 'target_failed'],
    ['connect', 554, 'permanent', 'event_refused'],
    ['auth', 535, 'permanent', 'credentials_rejected'],
    ['auth', 534, 'permanent', 'credentials_rejected'],
    ['auth', 454, 'retryable', 'target_failed'],
    ['from', 530, 'permanent', 'credentials_rejected'],
    ['from', 553, 'permanent', 'event_refused'],
    ['from', 552, 'permanent', 'payload_too_large'],
    ['rcpt', 550, 'permanent', 'target_not_found'],
    ['rcpt', 551, 'permanent', 'target_not_found'],
    ['rcpt', 553, 'permanent', 'target_not_found'],
    ['rcpt', 450, 'retryable', 'target_failed'],
    ['rcpt', 452, 'retryable', 'target_failed'],
    ['data', 451, 'retryable', 'target_failed'],
    ['data', 550, 'permanent', 'event_refused'],
    ['data', 552, 'permanent', 'payload_too_large'],
    ['data', 554, 'permanent', 'event_refused'],
  ])('takes a refusal of %s with %d as %s, %s', async (step, reply, kind, code) => {
    const refuse: Refuse = (at) => (at === step ? reply : null)
    server.refuseBy(refuse)
    const { outcome, arrivals } = await send({ server })
    server.refuseBy(() => null)
    expect(outcome).toMatchObject({ kind, code })
    expect(arrivals).toEqual([])
  })

  it('goes on with the other mails when one of them is given up', async () => {
    const valid = email.validate(settingsOf(server))
    if (!valid.ok) throw new Error('invalid')
    const sender = email.open(valid.value, testTools())
    const event = () => ({ meta: anEventMeta(), payload: Buffer.from('{}') })
    const abort = new AbortController()
    const sent = Array.from({ length: 10 }, (_, index) =>
      sender.send(
        event(),
        { number: 1, deliveryId: `d${index}` },
        index === 3 ? abort.signal : new AbortController().signal,
      ),
    )
    abort.abort('timeout')
    const outcomes = await Promise.all(sent)
    await sender.close()
    expect(outcomes.map(({ code }) => code).sort()).toEqual([...Array<string>(9).fill('accepted'), 'timeout'])
  })
})

describe('the TLS of an email destination', () => {
  async function sendTo(
    tls: 'starttls' | 'implicit' | 'none',
    config: Record<string, string>,
    host?: string,
  ) {
    const server = new MailServer({ tls, ...(host === undefined ? {} : { host }) })
    await server.start()
    try {
      return await send({ server, settings: settingsOf(server, config) })
    } finally {
      await server.stop()
    }
  }

  it('is there from the start where the server has it so', async () => {
    const { outcome, arrivals } = await sendTo('implicit', { tls: 'implicit' })
    expect(outcome?.kind).toBe('delivered')
    expect(arrivals).toMatchObject([{ isSecure: true, user: LOGIN.username }])
  })

  it('is not done without: a server that offers none gets no mail', async () => {
    const { outcome, arrivals } = await sendTo('none', { tls: 'starttls' })
    expect(outcome).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
    expect(arrivals).toEqual([])
  })

  it.each(['starttls', 'implicit'] as const)('trusts only the authority that was named (%s)', async (tls) => {
    const { cert } = await selfSigned('127.0.0.1')
    for (const ca_certificate of ['', cert]) {
      const { outcome, arrivals } = await sendTo(tls, { tls, ca_certificate })
      expect(outcome).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
      expect(arrivals).toEqual([])
    }
  })

  it.each(['starttls', 'implicit'] as const)(
    'wants a certificate for the host that was named (%s)',
    async (tls) => {
      const { outcome } = await sendTo(tls, { tls }, 'mail.example.com')
      expect(outcome).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
    },
  )

  it('may be missing only where the operator allows it', async () => {
    expect((await sendTo('none', { tls: 'none' })).outcome?.kind).toBe('delivered')
    const server = new MailServer({ tls: 'none' })
    await server.start()
    const rules = {
      allowedNetworks: ['127.0.0.0/8'],
      allowedNames: [],
      allowedPorts: [],
      allowsPlainHttp: false,
    }
    const tools = { network: new Network(rules), endpoints: new Map<string, string>() }
    const { outcome } = await send({ server, settings: settingsOf(server, { tls: 'none' }), tools })
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
    expect(server.connections).toBe(0)
    await server.stop()
  })
})

describe('the dial of an email destination', () => {
  it.each(['starttls', 'implicit'])('is judged by the network (%s)', async (tls) => {
    const server = new MailServer({ tls: 'starttls' })
    await server.start()
    const rules = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: true }
    const tools = { network: new Network(rules), endpoints: new Map<string, string>() }
    const { outcome } = await send({ server, settings: settingsOf(server, { tls }), tools })
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
    expect(server.connections).toBe(0)
    await server.stop()
  })

  it('names the address that is to be judged, and whether it is without TLS', () => {
    const config = { server: '[::1]:2525', tls: 'none', from: FROM, to: TO }
    const valid = email.validate({ config, credentials: {} })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    expect(email.addresses(valid.value)).toEqual([
      { path: 'config.server', host: '::1', port: 2525, isPlainHttp: true },
    ])
  })
})
