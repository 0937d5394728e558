import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { anEventMeta, type Answer, type Received } from '@barnabas/testing'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { OutgoingEvent } from '../driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { testTools } from '../testing/test-tools.js'
import { VendorDouble } from '../testing/vendor-double.js'
import { pagerduty } from './pagerduty.driver.js'

const KEY = 'e93facc04764012d7bfb002500d5d1a6'
const OLD_KEY = 'a'.repeat(32)

/** After the published schema of the Events API v2 (PagerDuty/api-schema) and the limits in its documentation. */
const problem = z.strictObject({
  summary: z.string().min(1).max(1_024),
  timestamp: z.iso.datetime().optional(),
  severity: z.enum(['critical', 'warning', 'error', 'info']),
  source: z.string().min(1),
  component: z.string().optional(),
  group: z.string().optional(),
  class: z.string().optional(),
  custom_details: z.record(z.string(), z.unknown()).optional(),
})
const head = { routing_key: z.string().regex(/^[A-Za-z0-9]{32}$/), dedup_key: z.string().min(1).max(255) }
const alert = z.discriminatedUnion('event_action', [
  z.strictObject({
    ...head,
    event_action: z.literal('trigger'),
    dedup_key: head.dedup_key.optional(),
    payload: problem,
    client: z.string().optional(),
  }),
  z.strictObject({ ...head, event_action: z.literal('acknowledge') }),
  z.strictObject({ ...head, event_action: z.literal('resolve') }),
])
type Alert = z.infer<typeof alert>

const alertIn = ({ body }: Received): Alert => JSON.parse(body.toString('utf8')) as Alert

const refusal = (...errors: string[]): Answer => ({
  status: 400,
  body: JSON.stringify({ status: 'invalid event', message: 'Event object is invalid', errors }),
})

/** Takes alerts as PagerDuty does, and keeps what state each problem is in. */
class PagerDuty {
  readonly states = new Map<string, string>()
  /** Of the integrations that there are. */
  readonly keys = new Set([KEY, OLD_KEY])

  readonly answer = (request: Received): Answer => {
    if (request.method !== 'POST' || request.path !== '/v2/enqueue') return { status: 404 }
    if (request.body.length > 512 * 1024) return { status: 413 }
    const read = alert.safeParse(alertIn(request))
    if (!read.success) return refusal(...read.error.issues.map(({ message }) => message))
    const { routing_key, dedup_key = 'made-here', event_action } = read.data
    if (!this.keys.has(routing_key)) return refusal('Invalid routing key')
    if (event_action === 'trigger' || this.states.has(dedup_key)) this.states.set(dedup_key, event_action)
    const body = JSON.stringify({ status: 'success', message: 'Event processed', dedup_key })
    return { status: 202, body }
  }
}

class PagerDutyHarness implements DriverHarness {
  private readonly vendor = new PagerDuty()
  readonly double = new VendorDouble(this.vendor.answer)
  private isUnreachable = false

  readonly invalid: DriverHarness['invalid'] = {
    'credentials.routing_key': (valid) => ({ ...valid, credentials: { routing_key: 'u+abcdefghijklmnop' } }),
    'config.region': (valid) => ({ ...valid, config: { region: 'mars' } }),
    'config.action_template': (valid) => ({ ...valid, config: { action_template: '(' } }),
    'config.severity': (valid) => ({ ...valid, config: { severity: 'error' } }),
  }

  start = () => this.double.start()
  stop = () => this.double.stop()
  restart = () => this.double.restart()
  becomeSlow = () => this.double.becomeSlow()
  becomeQuick = () => this.double.becomeQuick()
  settings = () => ({ config: {}, credentials: { routing_key: KEY } })

  unreachable() {
    this.isUnreachable = true
    return this.settings()
  }

  tools() {
    const tools = testTools({ pagerduty: this.isUnreachable ? 'http://127.0.0.1:1' : this.double.url })
    this.isUnreachable = false
    return tools
  }

  badCredentials() {
    const settings = { config: {}, credentials: { routing_key: 'f'.repeat(32) } }
    return { settings, code: 'event_refused' as const }
  }

  rotation(): Rotation {
    return {
      before: { config: {}, credentials: { routing_key: OLD_KEY } },
      after: this.settings(),
      retire: () => void this.vendor.keys.delete(OLD_KEY),
      refusal: 'event_refused',
    }
  }

  /** Alerts have no place for metadata. */
  carried = ({ payload }: OutgoingEvent) => ({ body: payload, metadata: {} })

  arrived(): readonly Arrived[] {
    return this.double.taken.map((request) => {
      const text = request.body.toString('utf8')
      const body = /"custom_details":(.*)\}\}$/s.exec(text)?.[1] ?? ''
      return { body: Buffer.from(body), metadata: {}, eventId: alertIn(request).dedup_key ?? '' }
    })
  }
}

describeDriver(pagerduty, new PagerDutyHarness())

describe('a PagerDuty destination', () => {
  const vendor = new PagerDuty()
  const double = new VendorDouble(vendor.answer)
  beforeAll(() => double.start())
  afterAll(() => double.stop())

  async function send(config: Record<string, string>, payload: unknown, answer?: Answer) {
    if (answer) double.answerNext(answer)
    const valid = pagerduty.validate({ config, credentials: { routing_key: KEY } })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const sender = pagerduty.open(valid.value, testTools({ pagerduty: double.url }))
    const event = { meta: anEventMeta(), payload: Buffer.from(JSON.stringify(payload)) }
    const outcome = await sender.send(event, { number: 1, deliveryId: 'd' }, new AbortController().signal)
    await sender.close()
    return outcome
  }

  const config = {
    action_template: "data.state == 'ok' && 'resolve' || data.state == 'seen' && 'acknowledge' || 'trigger'",
    dedup_key_template: 'data.monitor',
    severity_template: "data.level || 'error'",
    summary_template: 'data.title',
    component_template: 'data.part',
  }

  it('triggers, acknowledges and resolves one problem by its key', async () => {
    const states = []
    for (const state of ['down', 'seen', 'ok']) {
      const outcome = await send(config, { monitor: 'disk-7', title: 'Disk full', state })
      expect(outcome).toMatchObject({ kind: 'delivered', code: 'http_202' })
      states.push(vendor.states.get('disk-7'))
    }
    expect(states).toEqual(['trigger', 'acknowledge', 'resolve'])
  })

  it('takes severity, summary and component from the data, cut to what PagerDuty takes', async () => {
    const data = { monitor: 'm', level: 'warning', title: 'é'.repeat(2_000), part: 'mysql' }
    expect((await send(config, data)).kind).toBe('delivered')
    const last = double.taken.at(-1)
    expect(last && alertIn(last)).toMatchObject({
      payload: { severity: 'warning', component: 'mysql', source: 'barnabas', custom_details: data },
    })
  })

  it('delivers an alert although its data are too large', async () => {
    const outcome = await send(config, { monitor: 'm', title: 't', blob: 'x'.repeat(700_000) })
    expect(outcome.kind).toBe('delivered')
  })

  it.each([
    [
      { monitor: 'm', title: 't', level: 'bad' },
      'The severity template gives none of critical, error, warning, info for this event.',
    ],
    [{ title: 't' }, 'The deduplication key template gives nothing for this event.'],
  ])('fails for good when templates do not fit %j', async (data, detail) => {
    expect(await send(config, data)).toEqual({ kind: 'permanent', code: 'template_failed', detail })
  })

  it.each([
    [403, 'permanent', 'credentials_rejected'],
    [413, 'permanent', 'payload_too_large'],
    [429, 'retryable', 'throttled'],
    [500, 'retryable', 'http_500'],
  ])('takes %d as %s, %s', async (status, kind, code) => {
    expect(await send({}, {}, { status })).toMatchObject({ kind, code, response: { status } })
  })
})
