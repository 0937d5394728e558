import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { anEventMeta } from '@barnabas/testing'
import { describeDriver, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { testTools } from '../testing/test-tools.js'
import { hookdeck } from './hookdeck.driver.js'
import { HookdeckDouble } from './testing/hookdeck-double.js'

const tokenOf = (id: string, secret: string): string => Buffer.from(`${id}:${secret}`).toString('base64')
const TOKEN = tokenOf('src_1', 'a secret')
const WRONG = tokenOf('src_1', 'another')
const OLD = tokenOf('src_0', 'an older secret')
const never = new AbortController().signal

const toolsFor = ({ url }: HookdeckDouble) => testTools({ hookdeck: url, hookdeck_api: url })

class HookdeckHarness implements DriverHarness {
  private readonly double = new HookdeckDouble({ src_1: TOKEN, src_0: OLD })
  private isAway = false

  readonly invalid: DriverHarness['invalid'] = {
    'credentials.token': (valid) => ({ ...valid, credentials: { token: 'src_1:secret' } }),
    'config.url': (valid) => ({ ...valid, config: { url: 'https://example.com/' } }),
  }

  start = () => this.double.start()
  stop = () => this.double.stop()

  async restart(): Promise<void> {
    await this.double.stop()
    await this.double.start()
  }

  tools() {
    const tools = this.isAway ? testTools({ hookdeck: 'http://127.0.0.1:1' }) : toolsFor(this.double)
    this.isAway = false
    return tools
  }

  settings() {
    return { config: {}, credentials: { token: TOKEN } }
  }

  /** The address is the operator's, not a setting: the sender that is opened next finds nobody. */
  unreachable() {
    this.isAway = true
    return this.settings()
  }

  badCredentials() {
    return {
      settings: { config: {}, credentials: { token: WRONG } },
      code: 'credentials_rejected' as const,
    }
  }

  /** A token is that of one source: a new token means another source, and the old one is removed. */
  rotation(): Rotation {
    return {
      before: { config: {}, credentials: { token: OLD } },
      after: this.settings(),
      retire: () => void this.double.tokens.delete('src_0'),
      refusal: 'target_not_found',
    }
  }

  becomeSlow(): void {
    this.double.isSlow = true
  }

  becomeQuick(): void {
    this.double.isSlow = false
  }

  arrived() {
    return this.double.taken.map(({ headers, body }) => ({
      body,
      eventId: String(headers['x-outpost-event-id']),
      metadata: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.replace('x-outpost-', ''), String(value)]),
      ),
    }))
  }
}

describeDriver(hookdeck, new HookdeckHarness())

describe('hookdeck', () => {
  const double = new HookdeckDouble({ src_1: TOKEN })
  beforeAll(() => double.start())
  afterAll(() => double.stop())
  beforeEach(() => {
    double.taken.splice(0)
    double.disabledAt = null
    double.answer = null
  })

  const ask = (token: string, tools = toolsFor(double)) =>
    hookdeck.verification?.ask({ config: {}, credentials: { token } }, tools, never)

  it('names what is ours so that no metadata can, and sends the data alone as body', async () => {
    const sender = hookdeck.open({ config: {}, credentials: { token: TOKEN } }, toolsFor(double))
    const meta = anEventMeta({
      id: 'evt_1' as never,
      metadata: {
        topic: 'forged',
        'event-id': 'forged',
        Topic: 'forged',
        Timestamp: 'forged',
        plan: 'größer',
        'content-type': 'x/y',
      },
    })
    const payload = Buffer.from('{"n": 1.0}')
    await sender.send({ meta, payload }, { number: 2, deliveryId: 'dlv_9' }, never)
    await sender.close()
    expect(double.taken[0]?.body).toEqual(payload)
    expect(double.taken[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-outpost-event-id': 'evt_1',
      'x-outpost-topic': 'order.paid',
      'x-outpost-timestamp': '1768471200',
      'x-outpost-delivery-id': 'dlv_9',
      'x-outpost-attempt': '2',
      'x-outpost-plan': encodeURIComponent('größer'),
    })
  })

  it('takes a token that Hookdeck knows', async () => {
    expect(await ask(TOKEN)).toEqual({ kind: 'verified', ratePerMinute: null })
  })

  it('refuses a token that Hookdeck refuses, one of an unknown source and one of a disabled source', async () => {
    expect(await ask(WRONG)).toMatchObject({ kind: 'refused', path: 'credentials.token' })
    expect(await ask(tokenOf('src_2', 'x'))).toMatchObject({ kind: 'refused' })
    double.disabledAt = '2026-01-01T00:00:00Z'
    expect(await ask(TOKEN)).toMatchObject({ kind: 'refused' })
  })

  it('blames no token when Hookdeck cannot be asked', async () => {
    double.answer = { status: 503 }
    expect(await ask(TOKEN)).toMatchObject({ kind: 'unreached' })
    expect(await ask(TOKEN, testTools({ hookdeck_api: 'http://127.0.0.1:1' }))).toMatchObject({
      kind: 'unreached',
    })
    double.answer = { kind: 'hang' }
    const asked = hookdeck.verification?.ask(
      { config: {}, credentials: { token: TOKEN } },
      toolsFor(double),
      AbortSignal.timeout(100),
    )
    expect(await asked).toEqual({ kind: 'unreached', detail: 'Hookdeck did not answer in time.' })
  })
})
