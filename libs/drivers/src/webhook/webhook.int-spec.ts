import { afterEach, describe, expect, it } from '@jest/globals'
import { gzipSync } from 'node:zlib'
import { Webhook } from 'standardwebhooks'
import { HOUR } from '@barnabas/domain'
import { anEventMeta, startReceiver, type Receiver, type Script } from '@barnabas/testing'
import { describeDriver, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import type { Sender } from '../driver.js'
import { MAX_RESPONSE_BYTES } from '../http/http-target.js'
import { openWebhook } from './testing/open-webhook.js'
import { webhook } from './webhook.driver.js'
import { newSecret } from './webhook.signature.js'

const CLOSED = 'http://127.0.0.1:1/'
const HANG: Script = () => ({ kind: 'hang' })
const OK: Script = () => ({ status: 200 })

const verifiedBy =
  (...secrets: string[]): Script =>
  ({ headers, body }) => {
    const isSigned = secrets.some((one) => isSignedWith(one, headers as Record<string, string>, body))
    return { status: isSigned ? 200 : 401 }
  }

function isSignedWith(secret: string, headers: Record<string, string>, body: Buffer): boolean {
  try {
    new Webhook(secret).verify(body.toString(), headers)
    return true
  } catch {
    return false
  }
}

class ReceiverHarness implements DriverHarness {
  private receiver: Receiver | null = null
  private earlier: Receiver['received'] = []

  get running(): Receiver {
    if (!this.receiver) throw new Error('not started')
    return this.receiver
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.url': (valid) => ({ ...valid, config: { url: 'ftp://example.com' } }),
    'config.colour': (valid) => ({ ...valid, config: { ...valid.config, colour: 'red' } }),
    'credentials.secret': (valid) => ({ ...valid, credentials: { secret: 'whsec_short' } }),
  }

  async start(): Promise<void> {
    this.receiver = await startReceiver()
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  async restart(): Promise<void> {
    const port = Number(new URL(this.running.url()).port)
    this.earlier = [...this.earlier, ...this.running.received]
    await this.running.stop()
    this.receiver = await startReceiver(OK, port)
  }

  settings() {
    return { config: { url: this.running.url('/hook?a=1') }, credentials: {} }
  }

  unreachable() {
    return { config: { url: CLOSED }, credentials: {} }
  }

  /** A webhook has none that it could refuse: whoever gets a wrong signature answers as it likes. */
  badCredentials() {
    return null
  }

  /** The target verifies signatures, with both secrets first. */
  rotation(): Rotation {
    const { config } = this.settings()
    const [old, current] = [newSecret(), newSecret()]
    const previous = {
      previous_secret: old,
      previous_secret_invalid_at: new Date(Date.now() + HOUR).toISOString(),
    }
    this.running.answerBy(verifiedBy(old, current))
    return {
      before: { config, credentials: { secret: old } },
      after: { config, credentials: { secret: current, ...previous } },
      retire: () => this.running.answerBy(verifiedBy(current)),
      refusal: 'http_401',
    }
  }

  becomeSlow(): void {
    this.running.answerBy(HANG)
  }

  becomeQuick(): void {
    this.running.answerBy(OK)
  }

  arrived() {
    return [...this.earlier, ...this.running.received].map(({ headers, body }) => ({
      body,
      eventId: String(headers['x-barnabas-event-id']),
      metadata: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.replace('x-barnabas-meta-', ''), String(value)]),
      ),
    }))
  }
}

describeDriver(webhook, new ReceiverHarness())

describe('WebhookSender', () => {
  const opened: { receiver?: Receiver; sender: Sender }[] = []
  const secret = newSecret()
  const event = { meta: anEventMeta(), payload: Buffer.from('{"order_id": 1}') }
  const attempt = { number: 1, deliveryId: 'dlv_1' }

  afterEach(async () => {
    for (const { sender, receiver } of opened.splice(0)) {
      await receiver?.stop()
      await sender.close()
    }
  })

  async function openTo(script: Script): Promise<{ receiver: Receiver; sender: Sender }> {
    const receiver = await startReceiver(script)
    const sender = openWebhook({ url: receiver.url('/a/b?c=%20d') }, { secret })
    opened.push({ receiver, sender })
    return { receiver, sender }
  }

  const sendTo = async (script: Script, timeoutMs = 5_000) => {
    const { receiver, sender } = await openTo(script)
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort('timeout'), timeoutMs)
    const outcome = await sender.send(event, attempt, abort.signal)
    clearTimeout(timer)
    return { outcome, receiver }
  }

  it('posts the bytes to path and query as given, signed so that the standard library verifies them', async () => {
    const { outcome, receiver } = await sendTo(OK)
    expect(outcome.kind).toBe('delivered')
    const [received] = receiver.received
    expect([received?.method, received?.path]).toEqual(['POST', '/a/b?c=%20d'])
    const headers = received?.headers as Record<string, string>
    expect(new Webhook(secret).verify(received?.body.toString() ?? '', headers)).toEqual({ order_id: 1 })
  })

  it('does not follow a redirect', async () => {
    const { outcome, receiver } = await sendTo(() => ({ status: 307, headers: { location: CLOSED } }))
    expect(outcome).toMatchObject({ kind: 'retryable', code: 'http_307' })
    expect(receiver.received).toHaveLength(1)
  })

  it('reads an endless answer up to the cap, and takes its status', async () => {
    const before = process.memoryUsage().rss
    const { outcome } = await sendTo(() => ({ kind: 'endless' }))
    expect(outcome).toMatchObject({ kind: 'delivered', response: { isBodyCut: true } })
    expect(outcome.response?.body).toHaveLength(MAX_RESPONSE_BYTES)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })

  it('takes the status of an answer whose body breaks off: the target had the event', async () => {
    const { outcome } = await sendTo(() => ({ kind: 'break-off' }))
    expect(outcome).toMatchObject({ kind: 'delivered', response: { isBodyCut: true } })
  })

  it('keeps a compressed answer as it came', async () => {
    const body = gzipSync('a'.repeat(1_000_000))
    const { outcome } = await sendTo(() => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body }))
    expect(outcome.response?.body).toEqual(body)
  })

  it.each<[string, Script, string]>([
    ['never answers', HANG, 'timeout'],
    ['resets the connection', () => ({ kind: 'reset' }), 'connection_reset'],
    ['does not speak HTTP', () => ({ kind: 'garbage' }), 'protocol_error'],
    ['answers 503', () => ({ status: 503, headers: { 'retry-after': '7' } }), 'http_503'],
  ])('answers retryable when the target %s', async (_name, script, code) => {
    const { outcome } = await sendTo(script, 300)
    expect(outcome).toMatchObject({ kind: 'retryable', code })
  })

  it('answers retryable when nobody listens, and when the name does not exist', async () => {
    for (const [url, code] of [
      [CLOSED, 'connection_refused'],
      ['http://no-such-host.invalid/', 'dns_failed'],
    ] as const) {
      const sender = openWebhook({ url }, { secret })
      opened.push({ sender })
      expect(await sender.send(event, attempt, new AbortController().signal)).toMatchObject({ code })
    }
  })

  it('answers retryable when the target speaks no TLS', async () => {
    const { receiver } = await openTo(OK)
    const sender = openWebhook({ url: receiver.url().replace('http:', 'https:') }, { secret })
    opened.push({ sender })
    expect(await sender.send(event, attempt, new AbortController().signal)).toMatchObject({
      code: 'tls_failed',
    })
  })

  it('reuses its connections', async () => {
    const { receiver, sender } = await openTo(OK)
    for (let count = 0; count < 20; count++) await sender.send(event, attempt, new AbortController().signal)
    expect(new Set(receiver.received.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2)
  })
})
